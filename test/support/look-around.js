// Runs in the page: what is wrong with it, in words.
export function lookAround() {
  const faults = [];
  const isShown = (element) => {
    const { width, height } = element.getBoundingClientRect();
    return width > 0 && height > 0 && element.checkVisibility({ visibilityProperty: true });
  };
  const nameOf = (element) => {
    const label = element.getAttribute('aria-label') ?? element.labels?.[0]?.textContent ?? '';
    return (label || element.textContent || element.getAttribute('alt') || '').trim();
  };
  const wordFor = (element) => `<${element.tagName.toLowerCase()}> ${(element.textContent ?? '').trim().slice(0, 40)}`;
  const all = [...document.querySelectorAll('body *')].filter(isShown);
  const controls = all.filter((element) => element.matches('a[href], button, input, select, textarea, [tabindex="0"]'));
  for (const control of controls) {
    if (nameOf(control) === '') faults.push(`no name: ${wordFor(control)}`);
    const { width, height } = control.getBoundingClientRect();
    const isInText = control.matches('p a, td a, dd a, .skip');
    if (!isInText && (width < 24 || height < 24)) faults.push(`smaller than a finger: ${wordFor(control)} ${width}x${height}`);
  }
  for (const image of all.filter((element) => element.matches('img:not([alt]), svg[role=img]:not([aria-label])')))
    faults.push(`a picture without words: ${wordFor(image)}`);
  const levels = all.filter((element) => /^H[1-6]$/.test(element.tagName)).map((element) => Number(element.tagName[1]));
  if (levels.filter((level) => level === 1).length !== 1) faults.push(`${levels.filter((level) => level === 1).length} first headings`);
  for (const [index, level] of levels.entries())
    if (index > 0 && level > (levels[index - 1] ?? 0) + 1) faults.push(`a heading of level ${level} behind one of ${levels[index - 1]}`);
  if (document.documentElement.lang === '') faults.push('no language');
  for (const table of document.querySelectorAll('table'))
    if (table.querySelector('th[scope]') === null) faults.push('a table without heads');
  const ids = [...document.querySelectorAll('[id]')].map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push(`two elements are called ${id}`);
  // On a phone the window grows with what is in it: the width that was asked for is the root's.
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) faults.push(`${scrollWidth - clientWidth} px wider than the window`);

  // Colours come as sRGB, with or without an alpha: a canvas reads any that the browser writes.
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 1;
  const context = canvas.getContext('2d', { willReadFrequently: true });

  const read = (text) => {
    if (context === null) throw new Error('no canvas');
    context.clearRect(0, 0, 1, 1);
    context.fillStyle = text;
    context.fillRect(0, 0, 1, 1);
    const [r = 0, g = 0, b = 0, a = 0] = context.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((i) => (top[i] ?? 0) * top[3] + (below[i] ?? 0) * (1 - top[3])).concat(1);
  const groundOf = (element) => {
    const layers = [];
    for (let at = element; at !== null; at = at.parentElement) {
      const layer = read(getComputedStyle(at).backgroundColor);
      layers.push(layer);
      if (layer[3] === 1) break;
    }
    return layers.reduceRight((below, layer) => over(layer, below), [255, 255, 255, 1]);
  };
  const lightOf = ([r, g, b]) => {
    const [x = 0, y = 0, z = 0] = [r, g, b].map((part) =>
      part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4,
    );
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  for (const element of all) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && (node.textContent ?? '').trim() !== '');
    if (!hasText || element.closest('[disabled], .unseen, .skip, option') !== null) continue;
    const style = getComputedStyle(element);
    const ground = groundOf(element);
    const [a, b] = [lightOf(over(read(style.color), ground)), lightOf(ground)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = Number.parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (contrast < (isLarge ? 3 : 4.5)) faults.push(`contrast ${contrast.toFixed(2)}: ${wordFor(element)}`);
  }
  return faults;
}
