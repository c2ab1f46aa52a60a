// Figures as a person reads them; a figure and its unit stay on one line. Pure.

export const DASH = '–';

// Three significant digits, thousands apart: 0.0123, 4.57, 12,300.
export function number(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return DASH;
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e9 || size < 1e-6)) return value.toExponential(digits - 1);
  const whole = size < 1 ? 0 : Math.floor(Math.log10(size)) + 1;
  const decimals = size === 0 ? 0 : Math.min(8, Math.max(0, size < 1 ? digits - 1 - Math.floor(Math.log10(size)) : digits - whole));
  return value.toLocaleString('en', {maximumFractionDigits: decimals});
}

export function count(value) {
  return value === null || value === undefined ? DASH : Math.round(value).toLocaleString('en');
}

export function percent(value, digits = 3) { // of a number that is in percent already
  return value === null || value === undefined || !Number.isFinite(value) ? DASH : `${number(value, digits)}\u00a0%`;
}

export function milliseconds(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return DASH;
  return value >= 10000 ? `${number(value / 1000)}\u00a0s` : `${number(value)}\u00a0ms`;
}

export function dollars(value) {
  return value === null || value === undefined || !Number.isFinite(value) ? DASH : `$${number(value)}`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return DASH;
  const s = Math.max(0, Math.round(seconds));
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min${s < 600 && s % 60 ? ` ${s % 60} s` : ''}`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} days`;
}

export function clock(date) {
  return date.toLocaleTimeString('en-GB');
}

// Today's as a time, others with their date.
export function moment(text, now = new Date()) {
  const date = new Date(text);
  if (Number.isNaN(date.getTime())) return DASH;
  const day = date.toDateString() === now.toDateString() ? '' : `${date.toISOString().slice(0, 10)} `;
  return day + clock(date);
}

// An e-value from its logarithm: 862, 10^7.
export function evidence(log10) {
  if (log10 === null || log10 === undefined || !Number.isFinite(log10)) return DASH;
  const value = 10 ** log10;
  return value >= 1e6 || value < 0.001 ? `10^${Math.floor(log10)}` : number(value);
}

// A figure in the unit that a guard names.
export function inUnit(value, unit) {
  switch (unit) {
    case 'share':
      return value === null ? DASH : percent(100 * value);
    case 'dollars':
      return dollars(value);
    case 'per_second':
      return value === null ? DASH : `${number(value)}/s`;
    default:
      return number(value);
  }
}

export function difference(value, unit) {
  if (value === null || value === undefined) return DASH;
  const sign = value > 0 ? '+' : value < 0 ? '−' : '±';
  const size = Math.abs(value);
  return sign + (unit === 'share' ? `${number(100 * size)} pts` : inUnit(size, unit));
}
