/* Draws the figures of a page from the JSON beside them. Classic script: works from disk, asks nobody for anything. */
(function () {
  "use strict";

  var narrow = window.matchMedia("(max-width: 720px)");
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  var HEX = /^#[0-9a-f]{6}$/i;
  var RGBA = /^rgba\((\d+),\s*(\d+),\s*(\d+),\s*([0-9.]+)\)$/;

  function variable(name) {
    return window.getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function hexadecimal(parts) {
    return "#" + [1, 2, 3].map(function (i) { return ("0" + Number(parts[i]).toString(16)).slice(-2); }).join("");
  }

  /* A colour of the light page as the page at hand has it: text in a readable hue, lines as they are. */
  function adapted(colour, isText) {
    var parts = RGBA.exec(colour);
    if (parts) {
      var base = variable("--line-" + hexadecimal(parts).slice(1).toLowerCase());
      if (!HEX.test(base)) { return colour; }
      var rgb = [1, 3, 5].map(function (i) { return parseInt(base.slice(i, i + 2), 16); });
      return "rgba(" + rgb.join(",") + "," + parts[4] + ")";
    }
    if (!HEX.test(colour)) { return colour; }
    var token = colour.slice(1).toLowerCase();
    return variable((isText ? "--ink-" : "--line-") + token) || colour;
  }

  function recolour(node, isText) {
    Object.keys(node).forEach(function (name) {
      var value = node[name];
      if (typeof value === "string" && /color$/.test(name)) {
        node[name] = adapted(value, isText);
      } else if (value && typeof value === "object" && !/^(x|y|text|meta)$/.test(name)) {
        recolour(value, /font$/.test(name));
      }
    });
  }

  function put(tree, path, value) {
    var keys = path.split(".");
    var last = keys.pop();
    keys.forEach(function (key) { tree = tree[key] = tree[key] || {}; });
    tree[last] = value;
  }

  /* The figure for this page, width and colour scheme: a fresh copy each time. */
  function prepared(block) {
    var figure = JSON.parse(block.textContent);
    var layout = figure.layout;
    var meta = layout.meta || {};
    if (meta.heights) { layout.height = meta.heights[narrow.matches ? 1 : 0]; }
    if (narrow.matches) {
      Object.keys(meta.narrow || {}).forEach(function (path) { put(layout, path, meta.narrow[path]); });
      layout.annotations = (layout.annotations || []).filter(function (note) { return note.name !== "end-label"; });
      layout.dragmode = false;
    }
    recolour(figure.data, false);
    recolour(layout, false);
    layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
    layout.font = Object.assign({}, layout.font, {
      color: variable("--ink"),
      family: window.getComputedStyle(document.body).fontFamily
    });
    layout.hoverlabel = Object.assign({}, layout.hoverlabel, {
      bgcolor: variable("--paper"),
      bordercolor: variable("--muted"),
      font: { color: variable("--ink"), family: layout.font.family, size: 13 }
    });
    layout.modebar = { bgcolor: "rgba(0,0,0,0)", color: variable("--muted"), activecolor: variable("--ink") };
    layout.autosize = true;
    return figure;
  }

  function configuration() {
    return {
      displaylogo: false,
      displayModeBar: narrow.matches ? false : "hover",
      modeBarButtonsToRemove: ["sendDataToCloud", "sendChartToCloud", "editInChartStudio", "lasso2d", "select2d", "autoScale2d"],
      plotlyServerURL: "",
      responsive: true,
      scrollZoom: false,
      showEditInChartStudio: false,
      showSendToCloud: false,
      topojsonURL: "data:,",
      typesetMath: false
    };
  }

  function draw(figure) {
    var block = document.getElementById(figure.getAttribute("data-figure"));
    var plot = figure.querySelector(".plot");
    var drawing = prepared(block);
    figure.classList.add("drawn");
    plot.hidden = false;
    return window.Plotly.react(plot, drawing.data, drawing.layout, configuration());
  }

  /* One after another, so that the page answers in between; what cannot be drawn keeps its static picture. */
  function drawAll(figures) {
    var queue = figures.slice();
    (function next() {
      var figure = queue.shift();
      if (!figure) { return; }
      try {
        draw(figure);
      } catch (error) {
        figure.classList.remove("drawn");
        figure.querySelector(".plot").hidden = true;
        window.console.error(error);
      }
      window.setTimeout(next, 0);
    })();
  }

  if (!window.Plotly) { return; }
  var figures = Array.prototype.slice.call(document.querySelectorAll("[data-figure]"));
  var again = function () { drawAll(figures); };
  narrow.addEventListener("change", again);
  dark.addEventListener("change", again);
  drawAll(figures);
})();
