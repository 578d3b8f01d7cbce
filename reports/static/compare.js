/* Compare: find series, pick them, see them together or apart, on the calendar or on age. Classic script: values come as
   classic scripts too, one a medium, when they are first wanted; nothing is asked of anyone else. */
(function () {
  "use strict";

  var MOST = 12;
  var SHOWN = 40;
  var LONGEST_STEP = 5;
  var FEW = 12;
  var LABELLED = 6;
  var DASHES = ["solid", "dash", "dot", "dashdot", "longdash"];
  var STROKES = { solid: "", dash: "7 4", dot: "1.5 3.5", dashdot: "7 3.5 1.5 3.5", longdash: "12 5" };
  var PER_100 = /^(percent|per 100 people)$/;

  var index = null;
  var places = {};
  var loaded = {};
  var wanted = {};
  var picked = [];
  var focus = null;

  function $(id) { return document.getElementById(id); }

  function made(name, attributes, children) {
    var node = document.createElement(name);
    Object.keys(attributes || {}).forEach(function (key) {
      if (attributes[key] !== undefined) { node.setAttribute(key, attributes[key]); }
    });
    [].concat(children === undefined ? [] : children).forEach(function (child) {
      node.appendChild(typeof child === "string" ? document.createTextNode(child) : child);
    });
    return node;
  }

  function emptied(node) {
    while (node.firstChild) { node.removeChild(node.firstChild); }
    return node;
  }

  /* --- the index, and values as they come */

  /* A row: prefix of the id, key, adopter and code (0: the key), source, medium, metric, unit, first and last year. */
  function described(row) {
    var medium = index.media[row[5]];
    return {
      id: index.prefixes[row[0]] + row[1], adopter: row[2] || row[1], code: row[3] === 0 ? row[1] : row[3],
      source: index.sources[row[4]], medium: medium[0], file: medium[1], colour: medium[2], ink: medium[3],
      metric: index.metrics[row[6]], unit: index.units[row[7]], first: row[8], last: row[9]
    };
  }

  window.longwaveIndex = function (given) {
    index = given;
    var counts = {};
    index.all = index.series.map(function (row) {
      var one = described(row);
      one.at = counts[one.file] = one.file in counts ? counts[one.file] + 1 : 0;
      one.words = fold([one.adopter, one.code, one.medium, one.metric, one.unit, one.source[0]].join(" "));
      places[one.id] = one;
      return one;
    });
    index.media.map(function (medium) { return medium[0]; }).sort().forEach(function (name) {
      $("medium").appendChild(made("option", { value: name }, name));
    });
    $("compare").hidden = false;
    if ($("still")) { $("still").hidden = true; }
    restore();
  };

  window.longwaveValues = function (file, rows) {
    loaded[file] = rows;
    show();
  };

  function load(file) {
    if (wanted[file]) { return; }
    wanted[file] = true;
    window.longwave.load("compare/" + file + ".js", null, function () {
      wanted[file] = false;
      $("told").textContent = "The values of " + file + " could not be read: the file compare/" + file + ".js is missing.";
    });
  }

  function fold(text) {
    return text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  }

  function points(one) {
    var row = loaded[one.file][one.at];
    one.launch = row[0];
    one.cited = row[1] === 1;
    one.breaks = row[4] || [];
    return row[3].map(function (value, i) { return [row[2] + i, value]; }).filter(function (p) { return p[1] !== null; });
  }

  /* --- the address of the view */

  function chosen(name) { return $("picker").elements[name].value; }

  function restore() {
    var asked = window.longwave.asked();
    var ids = "s" in asked ? asked.s.split(",").map(window.longwave.decoded) : index.first;
    var known = ids.filter(function (id, i) { return places[id] && ids.indexOf(id) === i; });
    picked = known.slice(0, MOST);
    var lost = ids.filter(function (id) { return id && !places[id]; }).length;
    set("axis", asked.x === "year" ? "year" : "age");
    set("form", asked.v === "apart" ? "apart" : "together");
    find();
    show();
    if (lost) { $("told").textContent = lost + " of the series in this address are not held. " + $("told").textContent; }
  }

  function set(name, value) {
    Array.prototype.forEach.call($("picker").elements[name], function (radio) { radio.checked = radio.value === value; });
  }

  function remember() {
    window.longwave.remember("s=" + picked.map(encodeURIComponent).join(",") + "&x=" + chosen("axis") + "&v=" + chosen("form"));
  }

  /* --- finding */

  function find() {
    var words = fold($("find").value).split(/\s+/).filter(Boolean);
    var medium = $("medium").value;
    var list = emptied($("found"));
    list.hidden = !words.length && !medium;
    if (list.hidden) {
      $("count").textContent = index.all.length + " series of " + index.media.length +
        " media and technologies: type a place, a technology or a source, or choose a medium.";
      return;
    }
    var hits = index.all.filter(function (one) {
      return (!medium || one.medium === medium) && words.every(function (word) { return one.words.indexOf(word) >= 0; });
    });
    hits.sort(function (a, b) { return starts(b, words) - starts(a, words); });
    hits.slice(0, SHOWN).forEach(function (one) { list.appendChild(offered(one)); });
    $("count").textContent = hits.length + " series found" +
      (hits.length > SHOWN ? ", the first " + SHOWN + " shown: type more to narrow them down." : ".");
  }

  function starts(one, words) { return words.length && fold(one.adopter).indexOf(words[0]) === 0 ? 1 : 0; }

  function offered(one) {
    var box = made("input", { type: "checkbox", value: one.id });
    box.checked = picked.indexOf(one.id) >= 0;
    box.disabled = !box.checked && picked.length >= MOST;
    box.addEventListener("change", function () {
      if (box.checked) { picked.push(one.id); } else { picked.splice(picked.indexOf(one.id), 1); }
      find.again();
      changed();
    });
    var about = one.medium + ", " + one.metric + ", " + one.unit + ", " + span(one) + "; " + one.source[0];
    return made("li", {}, made("label", {}, [box, made("span", {}, [one.adopter + " ", made("small", {}, about)])]));
  }

  /* The list stays as it is while it is ticked, so that nothing moves under a finger: only what may be ticked changes. */
  find.again = function () {
    Array.prototype.forEach.call($("found").querySelectorAll("input"), function (box) {
      box.checked = picked.indexOf(box.value) >= 0;
      box.disabled = !box.checked && picked.length >= MOST;
    });
  };

  function span(one) { return one.first === one.last ? String(one.first) : one.first + "–" + one.last; }

  /* --- what is picked */

  function changed() { remember(); show(); }

  function styled() {
    var seen = {};
    return picked.map(function (id) {
      var one = places[id];
      seen[one.colour] = (seen[one.colour] || 0) + 1;
      one.dash = DASHES[(seen[one.colour] - 1) % DASHES.length];
      return one;
    });
  }

  function swatch(one) {
    var ns = "http://www.w3.org/2000/svg";
    var svg = document.createElementNS(ns, "svg");
    var line = document.createElementNS(ns, "line");
    var sizes = { width: 30, height: 8, viewBox: "0 0 30 8", "aria-hidden": "true" };
    Object.keys(sizes).forEach(function (key) { svg.setAttribute(key, sizes[key]); });
    var looks = { x1: 0, x2: 30, y1: 4, y2: 4, stroke: one.colour, "stroke-width": 2.5, "stroke-dasharray": STROKES[one.dash] };
    Object.keys(looks).forEach(function (key) { line.setAttribute(key, looks[key]); });
    line.setAttribute("class", "lw-line-" + one.colour.slice(1).toLowerCase());
    svg.appendChild(line);
    return svg;
  }

  function evidence(one) {
    /* The place that reports/places.py gives the series, which leaves out the name of its source. */
    var safe = one.id.slice(one.id.indexOf("/") + 1).replace(/[^A-Za-z0-9_-]/gu, function (mark) { return "." + mark.codePointAt(0).toString(16) + "."; });
    return one.source[1] + "#series-" + safe;
  }

  function listed(one) {
    var remove = made("button", { type: "button", "aria-label": "Remove " + name(one) }, "Remove");
    remove.addEventListener("click", function () {
      var at = picked.indexOf(one.id);
      picked.splice(at, 1);
      focus = at;
      find.again();
      changed();
    });
    var facts = [one.unit, span(one)];
    if (one.ready) { facts.push(one.launch === null ? "no launch on record" : "launch " + (one.cited ? "" : "≈ ") + one.launch); }
    if (one.ready && one.half) { facts.push("half reached in " + one.half + (one.launch === null ? "" : ", at age " + (one.half - one.launch))); }
    return made("li", {}, [
      swatch(one),
      made("span", {}, [made("a", { href: evidence(one) }, name(one)), " ", made("small", {}, facts.join(", ") + "; " + one.source[0])]),
      remove
    ]);
  }

  function name(one) {
    if (fold(one.adopter).indexOf(fold(one.medium)) >= 0) { return one.adopter + (one.code ? ", " + one.code : ""); }
    return one.medium.charAt(0).toUpperCase() + one.medium.slice(1) + ", " + one.adopter;
  }

  /* Where several have one name, their years tell them apart. */
  function called(one, group) {
    var alike = group.filter(function (other) { return name(other) === name(one); });
    return name(one) + (alike.length > 1 ? ", " + span(one) : "");
  }

  /* The first year at or over 50 %, of a share that was seen below not long before: half of sets is not half of people. Over
     a listed break nobody knows when it was. */
  function half(one, all) {
    if (one.unit !== "percent") { return 0; }
    for (var i = 1; i < all.length; i += 1) {
      if (all[i][1] >= 50) {
        var broken = one.breaks.indexOf(all[i][0]) >= 0 || one.breaks.indexOf(all[i - 1][0]) >= 0;
        return !broken && all[i - 1][1] < 50 && all[i][0] - all[i - 1][0] <= LONGEST_STEP ? all[i][0] : 0;
      }
    }
    return 0;
  }

  function show() {
    if (!index) { return; }
    var ones = styled();
    ones.forEach(function (one) {
      one.ready = one.file in loaded;
      if (!one.ready) { load(one.file); return; }
      one.all = points(one);
      one.half = half(one, one.all);
    });
    var list = emptied($("picked"));
    ones.forEach(function (one) { list.appendChild(listed(one)); });
    if (focus !== null) {
      var buttons = list.querySelectorAll("button");
      (buttons[Math.min(focus, buttons.length - 1)] || $("find")).focus();
      focus = null;
    }
    if (ones.every(function (one) { return one.ready; })) { draw(ones); }
  }

  /* --- pictures */

  function draw(ones) {
    var onAge = chosen("axis") === "age";
    var ageless = ones.filter(function (one) { return onAge && one.launch === null; });
    var lines = ones.filter(function (one) { return ageless.indexOf(one) < 0 && one.all.length; });
    lines.forEach(function (one) {
      one.xy = one.all.map(function (p) { return [onAge ? p[0] - one.launch : p[0], p[1]]; })
        .filter(function (p) { return !onAge || p[0] >= 0; });
    });
    lines = lines.filter(function (one) { return one.xy.length; });
    $("told").textContent = !ones.length ? "Nothing is picked: find a series above." : (picked.length >= MOST ? "These are as many as fit. " : "") +
      (ageless.length ? "Without an age, so only on the calendar: " + ageless.map(name).join("; ") + "." : "");
    var groups = chosen("form") === "apart" ? [lines] : byUnit(lines);
    var drawn = $("drawn");
    Array.prototype.forEach.call(drawn.querySelectorAll(".compared"), function (old) { window.Plotly.purge(old); });
    emptied(drawn);
    groups = groups.filter(function (group) { return group.length; });
    groups.forEach(function (group) {
      var plot = made("div", { "class": "plot compared", role: "group", "aria-label": alt(group, onAge) });
      drawn.appendChild(plot);
      window.longwave.plot(plot, figureOf(group, onAge));
      drawn.appendChild(taken(group, onAge, groups.length > 1));
    });
    $("picked-title").textContent = finding(lines, onAge);
    table(lines, onAge);
  }

  function figureOf(group, onAge) { return chosen("form") === "apart" ? apart(group, onAge) : together(group, onAge); }

  /* --- what a reader takes away: the values, and the picture with its finding and its sources */

  function taken(group, onAge, several) {
    var of = several ? " of " + unit(group) : "";
    var name = "compare" + (several ? "-" + unit(group).replace(/[^a-z0-9]+/gi, "-") : "");
    var values = button("Values" + of + " (CSV)", function () { save(name + ".csv", csv(group)); });
    var pictures = ["SVG", "PNG"].map(function (format) {
      return button("picture" + of + " (" + format + ")", function () {
        window.longwave.handOver(figureOf(group, onAge), told(group, onAge), keyOf(group), format.toLowerCase(), name);
      });
    });
    return made("p", { "class": "small taken" }, [values, ", ", pictures[0], ", ", pictures[1]]);
  }

  function button(words, act) {
    var node = made("button", { type: "button", "class": "link" }, words);
    node.addEventListener("click", act);
    return node;
  }

  function told(group, onAge) {
    var sources = group.map(function (one) { return one.source[0]; }).filter(function (s, i, all) { return all.indexOf(s) === i; });
    return {
      title: finding(group, onAge), source: "Source: " + sources.join("; ") + ".",
      under: (unit(group) || "each in its own unit") + (onAge ? ", by years since launch" : ", by year") + "; " + group.length + " series"
    };
  }

  /* A key where neither labels nor panels name the lines. */
  function keyOf(group) {
    if (chosen("form") === "apart" || (!narrow() && group.length <= LABELLED)) { return []; }
    return group.map(function (one) {
      return {
        type: "scatter", mode: "lines", x: [null], y: [null], name: plain(called(one, group)), showlegend: true,
        line: { color: window.getComputedStyle(swatchOf(one)).stroke, width: 2.5, dash: one.dash }
      };
    });
  }

  function swatchOf(one) { return $("picked").querySelectorAll("svg line")[picked.indexOf(one.id)]; }

  /* One row a value, as the picture has it. */
  function csv(group) {
    var rows = [["series", "name", "medium", "unit", "source", "launch", "year", "value"]];
    group.forEach(function (one) {
      one.all.forEach(function (p) { rows.push([one.id, name(one), one.medium, one.unit, one.source[0], one.launch === null ? "" : one.launch, p[0], p[1]]); });
    });
    return rows.map(function (row) {
      return row.map(function (cell) { return /[",\n]/.test(cell) ? "\"" + String(cell).replace(/"/g, "\"\"") + "\"" : cell; }).join(",");
    }).join("\n") + "\n";
  }

  function save(file, text) {
    var link = made("a", { href: URL.createObjectURL(new Blob([text], { type: "text/csv" })), download: file });
    document.body.appendChild(link);
    link.click();
    document.body.removeChild(link);
    window.setTimeout(function () { URL.revokeObjectURL(link.href); }, 10000);
  }

  /* What the picture shows first: who reached half soonest, and who last. */
  function finding(lines, onAge) {
    var halves = lines.filter(function (one) { return one.half; });
    halves.sort(function (a, b) { return when(a, onAge) - when(b, onAge); });
    if (!halves.length) { return lines.length === 1 ? name(lines[0]) : lines.length + " series compared"; }
    var first = halves[0], last = halves[halves.length - 1];
    var said = name(first) + " reached half " + (onAge ? when(first, onAge) + " years after launch" : "in " + when(first, onAge));
    return halves.length === 1 ? said : said + ", " + name(last) + (onAge ? " after " : " in ") + when(last, onAge);
  }

  function when(one, onAge) { return onAge ? one.half - one.launch : one.half; }

  function byUnit(lines) {
    var groups = {};
    lines.forEach(function (one) {
      var key = PER_100.test(one.unit) ? "" : one.unit;
      (groups[key] = groups[key] || []).push(one);
    });
    return Object.keys(groups).map(function (key) { return groups[key]; });
  }

  function alt(group, onAge) {
    return "Lines of " + group.map(name).join("; ") + (onAge ? " by years since launch" : " by year") + ". The values are in the table below.";
  }

  function unit(group) {
    var units = group.map(function (one) { return one.unit; }).filter(function (u, i, all) { return all.indexOf(u) === i; });
    return units.length === 1 ? units[0] : units.every(function (u) { return PER_100.test(u); }) ? "per 100" : "";
  }

  function trace(one, onAge, panel) {
    var xs = [], ys = [], words = [];
    one.xy.forEach(function (p) {
      if (xs.length && p[0] - xs[xs.length - 1] > LONGEST_STEP) { xs.push((p[0] + xs[xs.length - 1]) / 2); ys.push(null); words.push(""); }
      xs.push(p[0]);
      ys.push(p[1]);
      words.push((onAge ? p[0] + one.launch + ", age " + p[0] : p[0]) + ": " + number(p[1]) + " " + one.unit);
    });
    return {
      type: "scatter", mode: one.xy.length > FEW ? "lines" : "lines+markers", name: plain(name(one)), x: xs, y: ys, text: words,
      hovertemplate: plain(name(one)) + "<br>%{text}<extra></extra>", xaxis: "x" + panel, yaxis: "y" + panel,
      line: { color: one.colour, width: 2.25, dash: one.dash }, marker: { color: one.colour, size: 5 }
    };
  }

  /* Listed breaks: where a line moved because the way of counting did. */
  function crosses(group, onAge, panel) {
    var xs = [], ys = [];
    group.forEach(function (one) {
      one.xy.forEach(function (p) {
        if (one.breaks.indexOf(onAge ? p[0] + one.launch : p[0]) >= 0) { xs.push(p[0]); ys.push(p[1]); }
      });
    });
    return xs.length ? [{
      type: "scatter", mode: "markers", x: xs, y: ys, hovertemplate: "a listed break<extra></extra>", name: "break",
      xaxis: "x" + panel, yaxis: "y" + panel, marker: { symbol: "x-thin", size: 8, color: "#D55E00", line: { width: 2, color: "#D55E00" } }
    }] : [];
  }

  function plain(text) {
    return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/%\{/g, "&#37;{");
  }

  function number(value) { return value.toLocaleString("en-GB", { maximumSignificantDigits: 6 }).replace(/,/g, "\u202f"); }

  function x_axis(group, onAge) {
    var xs = [].concat.apply([], group.map(function (one) { return one.xy.map(function (p) { return p[0]; }); }));
    return {
      range: [onAge ? 0 : Math.min.apply(null, xs) - 1, Math.max.apply(null, xs) + 1], showgrid: false, zeroline: false,
      showline: true, linecolor: "#5a6069", hoverformat: "d", tickformat: "d", tickfont: { size: 12, color: "#5a6069" },
      title: { text: onAge ? "years since launch" : "", font: { size: 12, color: "#5a6069" }, standoff: 8 }
    };
  }

  function y_axis(group) {
    var share = group.every(function (one) { return PER_100.test(one.unit); });
    var top = Math.max.apply(null, [].concat.apply([], group.map(function (one) { return one.xy.map(function (p) { return p[1]; }); })));
    return {
      range: [0, (share && top > 40 ? Math.max(100, top) : top || 1) * 1.06], zeroline: false, gridcolor: "#e6e7e4",
      tickfont: { size: 12, color: "#5a6069" }
    };
  }

  function sheet(height) {
    return { height: height, margin: { l: 56, r: 24, t: 30, b: 50 }, showlegend: false, hovermode: "closest", annotations: [] };
  }

  function together(group, onAge) {
    var layout = sheet(narrow() ? 380 : 480);
    layout.xaxis = x_axis(group, onAge);
    layout.yaxis = y_axis(group);
    layout.annotations.push(heading("", unit(group), 4));
    if (!narrow() && group.length <= LABELLED) { endLabels(group, layout); }
    var data = group.map(function (one) { return trace(one, onAge, ""); });
    return { data: data.concat(crosses(group, onAge, "")), layout: layout };
  }

  function apart(group, onAge) {
    var columns = narrow() ? 1 : Math.min(group.length, group.length === 4 ? 2 : 3);
    var rows = Math.ceil(group.length / columns);
    var layout = sheet(rows * 240 + 50);
    var between = 78 / (rows * 240), data = [];
    group.forEach(function (one, i) {
      var panel = i ? String(i + 1) : "";
      var column = i % columns, row = rows - 1 - Math.floor(i / columns);
      var wide = (1 - 0.06 * (columns - 1)) / columns, high = (1 - between * (rows - 1)) / rows;
      var x = x_axis(group, onAge), y = y_axis(PER_100.test(one.unit) ? group.filter(function (o) { return PER_100.test(o.unit); }) : [one]);
      if (row) { x.title.text = ""; }
      x.domain = [column * (wide + 0.06), column * (wide + 0.06) + wide];
      y.domain = [row * (high + between), row * (high + between) + high];
      x.anchor = "y" + panel;
      y.anchor = "x" + panel;
      layout["xaxis" + panel] = x;
      layout["yaxis" + panel] = y;
      layout.annotations.push(heading(panel, "<b>" + plain(name(one)) + "</b>, " + one.unit, 6));
      data.push(trace(one, onAge, panel));
      data = data.concat(crosses([one], onAge, panel));
    });
    return { data: data, layout: layout };
  }

  function heading(panel, text, shift) {
    return {
      xref: "x" + panel + " domain", yref: "y" + panel + " domain", x: 0, y: 1, yshift: shift, text: text, showarrow: false,
      xanchor: "left", yanchor: "bottom", align: "left", font: { size: 12, color: "#1b1d21" }
    };
  }

  /* Names at the ends of lines, pushed apart where they would cover one another. */
  function endLabels(group, layout) {
    layout.margin.r = 230;
    var pixels = (layout.height - layout.margin.t - layout.margin.b) / layout.yaxis.range[1];
    var ends = group.map(function (one) { return { one: one, p: one.xy[one.xy.length - 1] }; });
    ends.sort(function (a, b) { return a.p[1] - b.p[1]; });
    var below = -Infinity;
    ends.forEach(function (end) {
      var at = Math.max(end.p[1] * pixels, below + 15);
      below = at;
      var words = plain(called(end.one, group));
      layout.annotations.push({
        x: layout.xaxis.range[1], y: end.p[1], yshift: at - end.p[1] * pixels, text: words.length > 38 ? words.slice(0, 37) + "…" : words,
        showarrow: false, xanchor: "left", yanchor: "middle", xshift: 4, font: { size: 12, color: end.one.ink }
      });
    });
  }

  function narrow() { return window.matchMedia("(max-width: 720px)").matches; }

  function table(lines, onAge) {
    var place = emptied($("values").querySelector(".scroll"));
    if (!lines.length) { return; }
    var rows = {};
    lines.forEach(function (one, i) { one.xy.forEach(function (p) { (rows[p[0]] = rows[p[0]] || {})[i] = p[1]; }); });
    var head = made("tr", {}, [made("th", { scope: "col" }, onAge ? "Age" : "Year")].concat(lines.map(function (one) {
      return made("th", { scope: "col", "class": "num" }, name(one) + ", " + one.unit);
    })));
    var body = Object.keys(rows).map(Number).sort(function (a, b) { return a - b; }).map(function (x) {
      return made("tr", {}, [made("th", { scope: "row" }, String(x))].concat(lines.map(function (_, i) {
        return made("td", { "class": "num" }, i in rows[x] ? number(rows[x][i]) : "–");
      })));
    });
    place.appendChild(made("table", { "class": "data" }, [made("thead", {}, head), made("tbody", {}, body)]));
  }

  /* --- beginning */

  if (!window.Plotly || !(window.longwave && window.longwave.plot)) { delete window.longwaveIndex; return; }
  $("picker").addEventListener("submit", function (event) { event.preventDefault(); });
  $("find").addEventListener("input", find);
  $("medium").addEventListener("change", find);
  Array.prototype.forEach.call(document.querySelectorAll("#picker [type=radio]"), function (radio) {
    radio.addEventListener("change", changed);
  });
  window.addEventListener("hashchange", restore);
  [window.matchMedia("(max-width: 720px)"), window.matchMedia("(prefers-color-scheme: dark)")].forEach(function (query) {
    query.addEventListener("change", show);
  });
})();
