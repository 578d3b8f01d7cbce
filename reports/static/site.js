/* Draws the figures of a page from the JSON beside them. Classic script: works from disk, asks nobody for anything. */
(function () {
  "use strict";

  var narrow = window.matchMedia("(max-width: 720px)");
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  var HEX = /^#[0-9a-f]{6}$/i;
  var RGBA = /^rgba\((\d+),\s*(\d+),\s*(\d+),\s*([0-9.]+)\)$/;

  /* What other scripts of a page may do: change a figure before it is drawn, by the id of its block, and draw it again. */
  var shared = window.longwave = window.longwave || {};
  shared.change = shared.change || {};

  /* What the address says of the view, by name, as text and as it stands there: "#a=b&c=d". */
  shared.asked = function () {
    var found = {};
    window.location.hash.slice(1).split("&").forEach(function (part) {
      var at = part.indexOf("=");
      if (at > 0) { found[part.slice(0, at)] = part.slice(at + 1); }
    });
    return found;
  };

  shared.decoded = function (text) {
    try { return decodeURIComponent(text); } catch (error) { return text; }
  };

  /* Puts a view into the address. A browser that lets no page from disk change its address keeps the old one. */
  shared.remember = function (view) {
    try { window.history.replaceState(null, "", "#" + view); } catch (error) { /* the view still changes */ }
  };

  /* Loads a classic script that hands over values; from disk, too, where nothing can be fetched. */
  shared.load = function (file, arrived, failed) {
    var script = document.createElement("script");
    script.src = file;
    script.onload = arrived;
    script.onerror = failed;
    document.head.appendChild(script);
  };

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
  function ofBlock(block) {
    var figure = JSON.parse(block.textContent);
    if (shared.change[block.id]) { shared.change[block.id](figure); }
    return prepared(figure);
  }

  /* A figure in the colours, fonts and sizes of this page. */
  function prepared(figure) {
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

  function plain(node) { return node ? node.textContent.replace(/[ \t\r\n]+/g, " ").trim() : ""; }

  function escaped(text) { return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;"); }

  /* Lines of about so many characters, as Plotly writes them. */
  function wrapped(text, width) {
    var lines = [""];
    text.split(" ").forEach(function (word) {
      var line = lines[lines.length - 1];
      if (line && line.length + 1 + word.length > width) { lines.push(word); } else { lines[lines.length - 1] = line ? line + " " + word : word; }
    });
    return lines.map(escaped);
  }

  /* The key as lines of no points, so that it shows what the page's key shows. */
  function keyTraces(figure) {
    return Array.prototype.map.call(figure.querySelectorAll(".key li"), function (entry) {
      var line = entry.querySelector("line");
      return {
        type: "scatter", mode: "lines", x: [null], y: [null], name: escaped(plain(entry)), showlegend: true,
        line: { color: window.getComputedStyle(line).stroke, width: 2.5, dash: line.getAttribute("stroke-dasharray") || "solid" }
      };
    });
  }

  /* A figure as it leaves the page: with its finding, what is drawn, the key where lines have no labels, and the source. */
  function framed(drawing, words, key) {
    var layout = drawing.layout;
    var width = narrow.matches ? 420 : 960;
    var title = wrapped(words.title, width / 10.5);
    var under = wrapped(words.under, width / 7);
    var source = wrapped(words.source, width / 6.4);
    var letters = key.reduce(function (sum, trace) { return sum + trace.name.length * 7.5 + 60; }, 0);
    var head = 18 + title.length * 27 + under.length * 17;
    var keyed = key.length ? 14 + 22 * Math.ceil(letters / (width - 80)) : 0;
    var margin = Object.assign({ l: 60, r: 40, t: 16, b: 50 }, layout.margin);
    drawing.data.forEach(function (trace) { trace.showlegend = false; });
    layout.height += head + keyed + 16 * source.length + 12;
    layout.width = width;
    layout.title = {
      text: title.join("<br>"), font: { size: 18, weight: 600, color: variable("--ink") },
      subtitle: { text: under.join("<br>"), font: { size: 13, color: variable("--muted") } },
      x: 0, xref: "container", xanchor: "left", y: 1, yanchor: "top", pad: { t: 16 + 4 * title.length, l: 14 }
    };
    layout.showlegend = key.length > 0;
    layout.legend = { orientation: "h", x: 0, y: 1 - (head + 6) / layout.height, yref: "container", yanchor: "top", bgcolor: "rgba(0,0,0,0)" };
    layout.annotations = (layout.annotations || []).concat(source.map(function (line, at) {
      return {
        text: line, xref: "paper", yref: "paper", x: 0, y: 0, xanchor: "left", yanchor: "top", showarrow: false,
        xshift: 14 - margin.l, yshift: -margin.b - 2 - 16 * at, font: { size: 12, color: variable("--muted") }
      };
    }));
    layout.margin = Object.assign(margin, { t: margin.t + head + keyed, b: margin.b + 16 * source.length + 12 });
    layout.paper_bgcolor = layout.plot_bgcolor = variable("--paper");
    return { data: drawing.data.concat(key), layout: layout, config: configuration() };
  }

  /* Hands a figure over as a file: the picture is made when it is asked for. */
  function handOver(drawing, format, name) {
    window.Plotly.downloadImage(drawing, {
      format: format, scale: format === "png" ? 2 : 1, width: drawing.layout.width, height: drawing.layout.height, filename: name
    });
  }

  function picture(figure) {
    var words = {
      title: plain(figure.querySelector("h3")), under: plain(figure.querySelector(".subtitle")), source: plain(figure.querySelector(".whence"))
    };
    var keyed = narrow.matches || figure.classList.contains("always");
    return framed(ofBlock(document.getElementById(figure.getAttribute("data-figure"))), words, keyed ? keyTraces(figure) : []);
  }

  /* The button hands over a PNG; the link to the static picture, which says neither finding nor source, an SVG that says both. */
  function offer(figure) {
    var button = figure.querySelector("[data-png]");
    if (!button) { return; }
    var name = button.getAttribute("data-png");
    button.parentNode.hidden = false;
    button.addEventListener("click", function () { handOver(picture(figure), "png", name); });
    figure.querySelector("[data-svg]").addEventListener("click", function (event) {
      event.preventDefault();
      handOver(picture(figure), "svg", name);
    });
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
    var drawing = ofBlock(block);
    waiting = waiting.filter(function (other) { return other !== figure; });
    figure.classList.add("drawn");
    figure.setAttribute("data-drawn", (narrow.matches ? "narrow " : "wide ") + (dark.matches ? "dark" : "light"));
    plot.hidden = false;
    return window.Plotly.react(plot, drawing.data, drawing.layout, configuration());
  }

  shared.draw = draw;

  /* --- in which order figures are drawn */

  var waiting = [];
  var near = [];
  var soon = false;
  var later = false;
  var idle = window.requestIdleCallback ? function (step) { window.requestIdleCallback(step); } : function (step) { window.setTimeout(step, 50); };
  var watch = window.IntersectionObserver ? new window.IntersectionObserver(seen, { rootMargin: "50% 0px" }) : null;

  /* One after another, so that the page answers in between: those in view and near it at once, the others when nothing else is
     to do. What cannot be drawn keeps its static picture; on paper the static pictures stand for all. */
  function drawAll(figures) {
    /* What the address leads to comes first: it is not in view yet. */
    var asked = document.getElementById(window.location.hash.slice(1));
    waiting = figures.filter(function (figure) { return figure === asked; }).concat(figures.filter(function (figure) { return figure !== asked; }));
    if (!watch) { near = waiting.slice(); go(); return; }
    /* The browser answers at once which of them are near. */
    figures.forEach(function (figure) { watch.unobserve(figure); watch.observe(figure); });
  }

  function seen(entries) {
    entries.forEach(function (entry) {
      near = near.filter(function (figure) { return figure !== entry.target; });
      if (entry.isIntersecting) { near.push(entry.target); }
    });
    go();
  }

  function wanted() { return waiting.filter(function (figure) { return near.indexOf(figure) >= 0; })[0]; }

  function go() {
    if (wanted()) {
      if (!soon) { soon = true; window.setTimeout(function () { soon = false; step(); }, 0); }
    } else if (waiting.length && !later) {
      later = true;
      idle(function () { later = false; step(); });
    }
  }

  function step() {
    var figure = wanted() || waiting[0];
    if (!figure) { return; }
    waiting = waiting.filter(function (other) { return other !== figure; });
    try {
      draw(figure);
    } catch (error) {
      figure.classList.remove("drawn");
      figure.querySelector(".plot").hidden = true;
      window.console.error(error);
    }
    go();
  }

  if (!window.Plotly) { return; }
  /* For a page that makes figures of its own: the same colours, fonts and settings. */
  shared.plot = function (plot, figure) {
    var drawing = prepared(figure);
    return window.Plotly.react(plot, drawing.data, drawing.layout, configuration());
  };
  /* And to hand one over as a file, with these words (title, under, source) and a key of these traces. */
  shared.handOver = function (figure, words, key, format, name) { handOver(framed(prepared(figure), words, key), format, name); };
  var figures = Array.prototype.slice.call(document.querySelectorAll("[data-figure]"));
  var again = function () { drawAll(figures); };
  narrow.addEventListener("change", again);
  dark.addEventListener("change", again);
  figures.forEach(offer);
  drawAll(figures);
})();
