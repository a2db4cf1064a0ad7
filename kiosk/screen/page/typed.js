// A scanner that types: its letters are kept in no field, so that no code is ever in the page. They end with Enter or Tab.

/** Fewer are a person's keys. */
const LEAST = 4;
const MOST = 4296;
/** A scanner types on; what stands for longer was typed by nobody that means it. */
const FORGET_MS = 2000;

/** @param scan gets the text. @returns a listener for `keydown`. */
export function typing(scan) {
  let text = '';
  let timer;
  const forget = () => {
    clearTimeout(timer);
    text = '';
  };
  return (event) => {
    const { key, ctrlKey, altKey, metaKey } = event;
    if ((key === 'Enter' || key === 'Tab') && text.length >= LEAST) {
      event.preventDefault();
      event.stopPropagation();
      const whole = text;
      forget();
      scan(whole);
    } else if (key.length === 1 && !ctrlKey && !altKey && !metaKey && key !== ' ' && text.length < MOST) {
      text += key;
      clearTimeout(timer);
      timer = setTimeout(forget, FORGET_MS);
    } else if (key !== 'Shift' && key !== 'CapsLock') forget();
  };
}
