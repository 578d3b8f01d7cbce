/* How old the newest vintage of each source is on the reader's own day: nothing published knows that day. Classic script. */
(function () {
  "use strict";

  var DAY = 86400000;

  function age(days) {
    if (days < 0) { return "not yet, by this device’s clock"; }
    if (days < 2) { return days === 1 ? "1 day old" : "of today"; }
    if (days < 62) { return days + " days old"; }
    if (days < 731) { return Math.round(days / 30.44) + " months old"; }
    return Math.floor(days / 365.25) + " years old";
  }

  Array.prototype.forEach.call(document.querySelectorAll("[data-vintage]"), function (place) {
    var parts = place.getAttribute("data-vintage").split("-").map(Number);
    var now = new Date();
    var today = Date.UTC(now.getFullYear(), now.getMonth(), now.getDate());
    var days = Math.round((today - Date.UTC(parts[0], parts[1] - 1, parts[2])) / DAY);
    var cycle = Number(place.getAttribute("data-days"));
    var late = cycle > 0 && days > 2 * cycle ? ", a newer one is likely to be out" : "";
    if (!isNaN(days)) { place.textContent = " (" + age(days) + late + ")"; }
  });
})();
