/**
 * fast-check, with what is asked for: left alone it makes lists and bytes of ten items at the most where nothing but `maxLength` is said, and a
 * property of frames, tables or streams is hardly tried. Source: fast-check 4, "Global settings", `defaultSizeToMaxWhenMaxSpecified`.
 */
import fc from 'fast-check';

fc.configureGlobal({ defaultSizeToMaxWhenMaxSpecified: true });

export default fc;
