// A chart of one or two lines over the last minutes.
import uPlot from '../vendor/uplot/uPlot.esm.js';
import { h, setText } from './dom.js';

const css = (name) => {
  // light-dark() is resolved by using the colour, not by reading the property.
  const probe = h('span', { class: `probe` });
  document.body.append(probe);
  probe.style.color = `var(${name})`;
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
};

/** round shortens a tick's text: 5.00k becomes 5k. */
const round = (text) => text.replace(/\.0+(?=\D|$)/, '');
const time = (seconds) => new Date(seconds * 1000).toLocaleTimeString('en-GB');

/** powers are the tick distances that suit amounts of data. */
export const powers = Array.from({ length: 50 }, (_, i) => 2 ** i);
const shortest = 120; // seconds that are drawn at least

/** chart makes a figure; series is a list of names, format writes a value, incrs are the tick distances. */
export function chart(title, series, format, incrs) {
  const values = series.map(() => h('span', {}));
  const legend = h('span', { class: 'legend' }, series.map((name, i) =>
    h('span', {}, h('i', { class: i ? 'key-b' : 'key-a', 'aria-hidden': 'true' }), `${name} `, values[i])));
  const plot = h('div', { class: 'plot', role: 'img', 'aria-label': title });
  const el = h('figure', { class: 'card' }, h('figcaption', {}, h('span', {}, title), legend), plot);
  let u = null;
  let data = [[], ...series.map(() => [])];

  function build() {
    u?.destroy();
    const muted = css('--muted');
    const grid = { stroke: css('--line'), width: 1 };
    u = new uPlot({
      width: plot.clientWidth || 400,
      height: 190,
      padding: [8, 24, 0, 0],
      cursor: { y: false, drag: { x: false, y: false } },
      legend: { show: false },
      scales: { x: { time: true, range: (_, min, max) => {
        const end = data[0].length ? max : Date.now() / 1000; // before there is anything to draw
        return [data[0].length ? Math.min(min, end - shortest) : end - shortest, end];
      } }, y: { range: (_, __, max) => [0, max > 0 ? max * 1.12 : 10] } },
      axes: [
        { stroke: muted, grid, ticks: grid, font: '11px system-ui', space: 90, size: 32, values: (_, ticks) => ticks.map(time), incrs: [10, 20, 30, 60, 120, 300, 600, 1800, 3600] },
        { stroke: muted, grid, ticks: grid, font: '11px system-ui', size: 62, values: (_, ticks) => ticks.map((n) => round(format(n))), ...(incrs && { incrs }) },
      ],
      series: [{}, ...series.map((name, i) => ({
        label: name, stroke: css(i ? '--out' : '--in'), width: 1.75, points: { show: false },
        fill: i ? undefined : css('--accent-soft'),
      }))],
      hooks: { setCursor: [(self) => name(self.cursor.idx)] },
    }, data, plot);
  }

  /** name writes the values under the cursor, or the newest. */
  function name(index) {
    const at = index ?? data[0].length - 1;
    values.forEach((v, i) => {
      const n = data[i + 1][at];
      setText(v, n == null ? '–' : format(n));
    });
  }

  const resize = new ResizeObserver(() => { if (u && plot.clientWidth) u.setSize({ width: plot.clientWidth, height: 190 }); });
  resize.observe(plot);

  return {
    el,
    set(next) {
      data = next;
      if (!u) build(); else u.setData(data);
      name(u.cursor.idx);
      plot.setAttribute('aria-label', `${title}, now ${series.map((n, i) => `${n} ${values[i].textContent}`).join(', ')}`);
    },
    theme() { if (u) build(); },
    close() { resize.disconnect(); u?.destroy(); },
  };
}
