// Charts, drawn by uPlot on a canvas in the colours of the style sheet.

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { clock, rate } from "./format";

export interface Series {
  label: string;
  /** The custom property of the style sheet with its colour. */
  color: string;
  values: (number | null)[];
  unit?: string;
}

const dark = window.matchMedia("(prefers-color-scheme: dark)");

export function Chart(props: {
  times: number[]; // milliseconds
  series: Series[];
  /** What it shows, for those who cannot see it. */
  alt: string;
  bars?: boolean;
  height?: number;
}) {
  const ref = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shape = props.series.map((s) => s.label).join("\n");
  const data: uPlot.AlignedData = [props.times.map((at) => at / 1000), ...props.series.map((s) => s.values)];
  const latest = useRef(data);
  latest.current = data;

  useEffect(() => {
    const box = ref.current;
    if (!box) return;
    const draw = () => {
      plot.current?.destroy();
      plot.current = make(box, props.series, latest.current, props.bars ?? false, props.height ?? 180);
    };
    draw();
    const resized = new ResizeObserver(() => {
      plot.current?.setSize({ width: box.clientWidth, height: props.height ?? 180 });
    });
    resized.observe(box);
    dark.addEventListener("change", draw);
    return () => {
      resized.disconnect();
      dark.removeEventListener("change", draw);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(data));

  return (
    <figure class="chart">
      <ul class="legend">
        {props.series.map((s) => (
          <li key={s.label}>
            <svg class={`swatch ${s.color.slice(2)}`} viewBox="0 0 10 10" aria-hidden="true">
              <rect width="10" height="10" rx="2" />
            </svg>
            {s.label}
          </li>
        ))}
      </ul>
      <div ref={ref} role="img" aria-label={props.alt} />
    </figure>
  );
}

function make(box: HTMLElement, series: Series[], data: uPlot.AlignedData, bars: boolean, height: number): uPlot {
  const style = getComputedStyle(box);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const font = `${0.75 * rem}px ${style.fontFamily}`;
  const axis = { stroke: colour("--dim"), font, grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
  const paths = bars ? uPlot.paths.bars?.({ size: [0.8, 40] }) : undefined;
  return new uPlot(
    {
      width: box.clientWidth,
      height,
      legend: { show: false },
      cursor: { show: false },
      scales: { y: { range: (_self, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
      axes: [
        { ...axis, space: 5 * rem, size: 1.75 * rem, values: (_self, at) => at.map((s) => clock(s * 1000)) },
        { ...axis, size: 3.75 * rem, values: (_self, at) => at.map((v) => rate(v)) },
      ],
      series: [
        {},
        ...series.map((s) => ({
          label: s.label,
          stroke: colour(s.color),
          width: 2,
          spanGaps: true,
          points: { show: false },
          ...(bars ? { fill: colour(s.color), width: 0 } : {}),
          ...(paths ? { paths } : {}),
        })),
      ],
    },
    data,
    box,
  );
}
