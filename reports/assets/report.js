// Values under the pointer, legends that switch series, tables that sort. The page is whole without it.
"use strict";
(() => {
  document.documentElement.classList.add("js");
  const tip = document.getElementById("tip");
  const numbers = (text) => text.trim().split(/[\s,]+/).map(Number);
  const show = (value) => {
    const size = Math.abs(value);
    if (size >= 1000) return Math.round(value).toLocaleString("en");
    return String(Number(value.toPrecision(size >= 100 ? 4 : 3)));
  };

  // The value of a line at x: the points of its drawing, turned back into data.
  const valueAt = (points, x) => {
    let low = 0;
    let high = points.length - 1;
    if (high < 0 || x < points[0][0] - 8 || x > points[high][0] + 8) return null;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (points[middle][0] <= x) low = middle; else high = middle;
    }
    return Math.abs(points[low][0] - x) <= Math.abs(points[high][0] - x) ? points[low] : points[high];
  };

  for (const svg of document.querySelectorAll(".chart svg")) {
    const plot = svg.querySelector(".plot");
    const keys = [...svg.querySelectorAll(".key")];
    const series = [...svg.querySelectorAll(".series")];
    for (const key of keys) {
      const own = series.filter((one) => one.dataset.i === key.dataset.i);
      if (!own.length) continue;
      key.setAttribute("tabindex", "0");
      key.setAttribute("role", "button");
      key.setAttribute("aria-pressed", "true");
      const toggle = () => {
        const off = key.classList.toggle("off");
        key.setAttribute("aria-pressed", String(!off));
        own.forEach((one) => one.classList.toggle("off", off));
      };
      key.addEventListener("click", toggle);
      key.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); toggle(); }
      });
    }
    // A line has a piece for each stretch without a gap.
    const lines = series.flatMap((one) => [...one.querySelectorAll(".line polyline")].map((piece) => {
      const flat = numbers(piece.getAttribute("points"));
      const points = [];
      for (let i = 0; i + 1 < flat.length; i += 2) points.push([flat[i], flat[i + 1]]);
      return { one, points };
    }));
    if (!plot || !lines.length) continue;
    const [left, top, right, bottom] = numbers(plot.dataset.box);
    const [x0, x1] = numbers(plot.dataset.x);
    const [y0, y1] = numbers(plot.dataset.y);
    const ruler = document.createElementNS(svg.namespaceURI, "line");
    for (const [name, value] of [["y1", top], ["y2", bottom], ["stroke", "#888"], ["stroke-width", 3]]) {
      ruler.setAttribute(name, value);
    }
    ruler.style.display = "none";
    svg.append(ruler);
    const hide = () => { tip.hidden = true; ruler.style.display = "none"; };
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      const x = (event.clientX - box.left) * scale;
      const y = (event.clientY - box.top) * scale;
      if (x < left || x > right || y < top || y > bottom) { hide(); return; }
      const text = [`${plot.dataset.xn} ${show(x0 + (x - left) / (right - left) * (x1 - x0))} ${plot.dataset.xu}`];
      for (const { one, points } of lines) {
        if (one.classList.contains("off")) continue;
        const point = valueAt(points, x);
        if (!point) continue;
        const value = y0 + (bottom - point[1]) / (bottom - top) * (y1 - y0);
        text.push(`${one.dataset.n}: ${show(value)} ${plot.dataset.yu}`);
      }
      ruler.setAttribute("x1", x);
      ruler.setAttribute("x2", x);
      ruler.style.display = "";
      tip.textContent = text.join("\n");
      tip.hidden = false;
      const wide = tip.offsetWidth + 18;
      tip.style.left = `${event.clientX + wide > innerWidth ? event.clientX - wide : event.clientX + 14}px`;
      tip.style.top = `${Math.max(4, Math.min(event.clientY + 12, innerHeight - tip.offsetHeight - 6))}px`;
    });
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      head.dataset.sort = "";
      head.tabIndex = 0;
      head.title = "Sort";
      const sort = () => {
        const down = head.getAttribute("aria-sort") !== "descending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const sign = down ? -1 : 1;
        const rows = [...table.tBodies[0].rows];
        rows.sort((a, b) => {
          const [p, q] = [a.cells[column], b.cells[column]];
          const [i, j] = [p.dataset.k, q.dataset.k];
          // What has no value stays below, whichever way the table is sorted.
          if (i === undefined && j === undefined) return sign * p.textContent.localeCompare(q.textContent, "en", { numeric: true });
          if (i === undefined) return 1;
          if (j === undefined) return -1;
          return sign * (Number(i) - Number(j));
        });
        table.tBodies[0].append(...rows);
      };
      head.addEventListener("click", sort);
      head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
    });
  }
})();
