// Charts of the dashboard. The library is loaded only if the page has one; without it, or without
// JavaScript, the same figures are in the table below.
"use strict";

const library = document.currentScript.dataset.library;
const drawn = new Map();
let loading = null;

function load() {
  loading ||= new Promise((done, fail) => {
    const script = document.createElement("script");
    script.src = library;
    script.onload = done;
    script.onerror = fail;
    document.head.append(script);
  });
  return loading;
}

function colour(name) {
  const style = getComputedStyle(document.documentElement);
  return style.getPropertyValue(`--krds-color-light-${name}-${name === "gray" ? 40 : 50}`).trim();
}

function options(given, element) {
  const { color: ink } = getComputedStyle(element);
  const line = getComputedStyle(document.documentElement).getPropertyValue("--g-line").trim();
  return {
    animation: false,
    aria: { enabled: true },
    textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: ink },
    grid: { left: 8, right: 8, top: 32, bottom: 4, containLabel: true },
    legend: { top: 0, left: 0, itemWidth: 12, itemHeight: 12, textStyle: { color: ink } },
    // As text on the canvas: the page's policy allows no styles in markup.
    tooltip: { trigger: "axis", renderMode: "richText" },
    xAxis: { type: "category", data: given.labels, axisTick: { show: false }, axisLabel: { color: ink } },
    yAxis: {
      type: "value",
      minInterval: 1,
      axisLabel: { color: ink },
      splitLine: { lineStyle: { color: line } },
    },
    series: given.series.map((one) => ({
      name: one.name,
      type: "bar",
      data: one.values,
      barMaxWidth: 14,
      cursor: one.links.length ? "pointer" : "default",
      itemStyle: { color: colour(one.colour) },
    })),
  };
}

function draw() {
  for (const [element, chart] of drawn) {
    if (!element.isConnected) {
      chart.dispose();
      drawn.delete(element);
    }
  }
  for (const element of document.querySelectorAll(".chart:not([data-drawn])")) {
    element.dataset.awaited = "true";
    seen.observe(element);
  }
}

// The library is larger than all the rest of a page: it is loaded when a chart comes into view.
const seen = new IntersectionObserver((entries) => {
  if (entries.some((entry) => entry.isIntersecting)) show();
});

async function show() {
  const waiting = () => document.querySelectorAll(".chart[data-awaited]:not([data-drawn])");
  try {
    await load();
  } catch {
    for (const element of waiting()) delete element.dataset.awaited;
    return;
  }
  for (const element of waiting()) {
    seen.unobserve(element);
    if (element.dataset.drawn || !element.isConnected) continue;
    element.dataset.drawn = "true";
    const chart = echarts.init(element, null, { renderer: "canvas" });
    const given = JSON.parse(element.dataset.chart);
    chart.setOption(options(given, element));
    // By keyboard, the numbers of the table below lead to the same issues.
    chart.on("click", ({ seriesIndex, dataIndex }) => {
      const link = given.series[seriesIndex]?.links[dataIndex];
      if (link) location.assign(link);
    });
    drawn.set(element, chart);
  }
}

document.addEventListener("htmx:oobAfterSwap", draw);
addEventListener("resize", () => drawn.forEach((chart) => chart.resize()));
draw();
addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) print();
});
// Paper has no buttons: the tables under the charts are printed too.
addEventListener("beforeprint", () => {
  for (const more of document.querySelectorAll(".figures-card details:not([open])")) {
    more.open = true;
    more.dataset.printed = "true";
  }
});
addEventListener("afterprint", () => {
  for (const more of document.querySelectorAll("[data-printed]")) {
    more.open = false;
    delete more.dataset.printed;
  }
});
