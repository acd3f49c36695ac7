// How figures are written.

const integer = new Intl.NumberFormat('en');

/** count writes a whole number in full: 12,345. */
export const count = (n) => integer.format(n ?? 0);

function scaled(n, base, units) {
  let i = 0;
  while (Math.abs(n) >= base && i < units.length - 1) { n /= base; i++; }
  const digits = i === 0 ? (Math.abs(n) < 10 && n % 1 ? 1 : 0) : Math.abs(n) < 10 ? 2 : Math.abs(n) < 100 ? 1 : 0;
  return n.toFixed(digits) + units[i];
}

/** short writes a number in three figures: 12.3k. */
export const short = (n) => scaled(n ?? 0, 1000, ['', 'k', 'M', 'G', 'T']);

/** bytes writes an amount in binary units. */
export const bytes = (n) => scaled(n ?? 0, 1024, [' B', ' KiB', ' MiB', ' GiB', ' TiB', ' PiB']);

/** micros writes a duration given in microseconds. */
export function micros(us) {
  if (!us) return '–';
  if (us < 1000) return `${us} µs`;
  if (us < 1e6) return `${(us / 1000).toFixed(us < 1e4 ? 2 : 1)} ms`;
  return `${(us / 1e6).toFixed(2)} s`;
}

/** duration writes seconds as the two largest units. */
export function duration(seconds) {
  const units = [['d', 86400], ['h', 3600], ['m', 60], ['s', 1]];
  const parts = [];
  let rest = Math.max(0, Math.floor(seconds));
  for (const [letter, size] of units) {
    if (rest >= size || (letter === 's' && !parts.length)) parts.push(`${Math.floor(rest / size)}${letter}`);
    rest %= size;
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}

/** when writes a moment; empty for none. */
export function when(text) {
  const t = new Date(text);
  return !text || t.getUTCFullYear() <= 1 ? '' : t.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}

/** clock writes a moment's time of day with milliseconds. */
export function clock(text) {
  const t = new Date(text);
  return t.toLocaleTimeString('en-GB') + '.' + String(t.getMilliseconds()).padStart(3, '0');
}

/** address joins a host and a port. */
export function address(ip, port) {
  if (!port) return ip || 'local';
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}
