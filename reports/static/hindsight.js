/* Redraws a medium's forecast in hindsight for the place and the cut that a reader picks. The figures of a place come as a
   classic script that calls longwave.told; nothing else is loaded, and without this the picture and the table stand. */
(function () {
  "use strict";

  /* Years of the axis, as reports/media.py has them. */
  var BEYOND = 21;
  var SHOWN = 45;

  var shared = window.longwave = window.longwave || {};
  var box = document.querySelector("[data-explorer]");
  if (!box || !window.Plotly || !shared.draw) { return; }

  var name = box.getAttribute("data-explorer");
  var medium = box.getAttribute("data-medium");
  var figure = document.querySelector("[data-figure='" + name + "']");
  var heading = figure.querySelector("h3");
  var subtitle = figure.querySelector(".subtitle");
  var titled = heading.textContent;
  /* What stands before the names of the sources. */
  var whence = figure.querySelector(".whence").firstChild;
  var place = box.querySelector("select");
  var slider = box.querySelector("input");
  var year = box.querySelector("[data-year]");
  var said = box.querySelector("[data-said]");
  var series = {};
  var current = null;
  var cut = Number(box.getAttribute("data-cut"));
  var waiting = false;

  function since(at) {
    return current.launch === null ? "" : ", " + (at - current.launch) + " years after launch";
  }

  /* The cut nearest to the year wanted, the earlier of two as near. */
  function nearest(wanted) {
    var best = 0;
    current.cuts.forEach(function (own, i) {
      if (Math.abs(own.cut - wanted) < Math.abs(current.cuts[best].cut - wanted)) { best = i; }
    });
    return best;
  }

  function levels(from, until) {
    var found = { x: [], y: [] };
    current.year.forEach(function (at, i) {
      if (at > from && at <= until) { found.x.push(at); found.y.push(current.value[i]); }
    });
    return found;
  }

  function changed(drawing) {
    if (!current) { return; }
    var own = current.cuts[Number(slider.value)];
    var known = levels(-Infinity, own.cut);
    var start = [known.x[known.x.length - 1], known.y[known.y.length - 1]];
    var years = [start[0]].concat(own.year);
    drawing.data.forEach(function (trace) {
      var role = trace.meta && trace.meta.role || "";
      var level = role.replace("band", "");
      if (role === "known") { trace.x = known.x; trace.y = known.y; }
      if (role === "happened") { var came = levels(own.cut, Infinity); trace.x = came.x; trace.y = came.y; }
      if (role === "forecast") { trace.x = years; trace.y = [start[1]].concat(own.point); }
      if (level !== role) {
        trace.x = years.concat(years.slice().reverse());
        trace.y = [start[1]].concat(own["hi" + level], own["lo" + level].slice().reverse(), [start[1]]);
      }
    });
    var layout = drawing.layout;
    layout.xaxis.range = [current.span[0] - 0.5, Math.min(current.span[1], Math.max(own.cut + BEYOND, current.span[0] + SHOWN)) + 0.5];
    layout.yaxis.range = [0, current.share ? 104 : own.top];
    layout.yaxis.ticksuffix = current.share ? "\u202f%" : "";
    var line = layout.shapes.filter(function (shape) { return shape.name === "cut"; })[0];
    line.x0 = line.x1 = start[0] + 0.5;
    layout.shapes = [line].concat(current.breaks.map(function (at) {
      return Object.assign({}, line, { name: "break", x0: at, x1: at, line: { color: "#D55E00", width: 1.25, dash: "dot" } });
    }));
  }

  function words() {
    var own = current.cuts[Number(slider.value)];
    var text = (own.n === 1 ? "One figure was known: " : own.n + " figures were known, the last ") +
      own.last[1] + " in " + own.last[0] + ".";
    if (own.said) {
      var age = current.launch === null ? "" : " (age " + (own.said[0] - current.launch) + ")";
      text += " Of " + own.said[0] + age + " the forecast says " + own.said[1] + ", 80\u202f% interval " + own.said[2] + ". ";
      if (own.said[3] !== null) {
        text += own.said[3] + " came, " + (own.said[4] ? "inside" : "outside") + " the interval.";
      } else {
        text += own.said[0] > current.year[current.year.length - 1] ? "What comes is not known yet." : "No figure of that year is held.";
      }
    }
    return text;
  }

  /* The title that the page came with is of the series offered first; of another it is what its own forecasts came to. */
  function title() {
    if (place.selectedIndex === 0) { return titled; }
    var judged = current.cuts.filter(function (own) { return own.said && own.said[3] !== null; });
    if (!judged.length) { return current.label + ": what could have been said, year by year"; }
    var kept = judged.filter(function (own) { return own.said[4]; }).length;
    return current.label + ": of " + judged.length + (judged.length === 1 ? " forecast" : " forecasts") +
      ", made at the years offered, the 80\u202f% interval of " + kept + " held what came";
  }

  function draw() {
    if (waiting) { return; }
    waiting = true;
    window.requestAnimationFrame(function () {
      waiting = false;
      if (current) { shared.draw(figure); }
    });
  }

  function tell(remember) {
    var own = current.cuts[Number(slider.value)];
    cut = own.cut;
    year.textContent = own.cut + since(own.cut);
    slider.setAttribute("aria-valuetext", "end of " + own.cut + since(own.cut));
    said.textContent = words();
    heading.textContent = title();
    whence.textContent = "Unit: " + current.unit + ". Source: ";
    subtitle.textContent = current.label + "; cut at the end of " + own.cut + since(own.cut);
    if (remember) {
      shared.remember("cut=" + own.cut + "&place=" + encodeURIComponent(place.value));
    }
    draw();
  }

  function show(remember) {
    current = series[place.value];
    slider.max = String(current.cuts.length - 1);
    slider.value = String(nearest(cut));
    slider.disabled = current.cuts.length < 2;
    tell(remember);
  }

  function pick(remember) {
    var key = place.value;
    if (series[key]) { show(remember); return; }
    var chosen = place.options[place.selectedIndex];
    shared.load(chosen.getAttribute("data-file"), function () {
      if (series[key] && place.value === key) { show(remember); }
    }, function () { said.textContent = "The figures of " + chosen.text + " could not be loaded."; });
  }

  /* What the address asks for: whether it asked. */
  function restore() {
    var asked = shared.asked();
    if (!/^\d{4}$/.test(asked.cut || "")) { return false; }
    cut = Number(asked.cut);
    Array.prototype.forEach.call(place.options, function (option) { if (option.value === shared.decoded(asked.place)) { place.value = option.value; } });
    return true;
  }

  shared.told = function (of, key, figures) { if (of === medium) { series[key] = figures; } };
  shared.change[name] = changed;
  place.addEventListener("change", function () { pick(true); });
  slider.addEventListener("input", function () { if (current) { tell(true); } });
  window.addEventListener("hashchange", function () { if (restore()) { pick(false); } });
  box.hidden = false;
  if (restore()) { box.scrollIntoView(); }
  pick(false);
})();
