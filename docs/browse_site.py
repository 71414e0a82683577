"""Open every page of the built site in a real browser, wide and narrow, and try the search.

``python docs/browse_site.py docs/_build/html --report results/report.html`` needs Debian's
``chromium`` and ``chromium-driver`` and the extra ``browser``. Pages are opened from the disk, as a
reader without a server would. Every problem is printed, and the exit status is then 1.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from check_site import pages
from selenium import webdriver
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver.chrome.service import Service

__all__ = ["NARROW", "QUERIES", "WIDE", "Browser", "browse", "chromium"]

#: Widths of the window, in pixels: a desk's, and a telephone's.
WIDE, NARROW = 1280, 390
HEIGHT = 900
#: What is searched for, and a page that must be among the results.
QUERIES = {"CEL0": "l0_and_cel0", "Willshaw": "Willshaw", "omp": "omp", "dendrite": "dendrites"}
#: As root, without a screen, and without looking for Google's hosts.
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--force-prefers-reduced-motion",
)  # fmt: skip

#: Waits for the pictures, those further down included; returns the sources of broken ones.
PICTURES = """
const done = arguments[0], all = [...document.images].filter(one => one.currentSrc || one.src);
all.forEach(one => { one.loading = "eager"; });
Promise.all(all.map(one => one.decode().catch(() => null)))
  .then(() => done(all.filter(one => !one.naturalWidth).map(one => one.src.slice(0, 120))));
"""
#: How much wider the page is than the window, and what is cut off: words and pictures that lie
#: beyond its edge, in no box that scrolls by itself (one around the whole text does not count).
OVERFLOW = """
const root = document.scrollingElement, width = document.documentElement.clientWidth;
const scrolls = one => {
  for (let box = one; box && box !== document.body; box = box.parentElement) {
    const style = getComputedStyle(box), scrolling = ["auto", "scroll"].includes(style.overflowX);
    if (style.position === "fixed" || style.textOverflow === "ellipsis") return true;
    if (scrolling && box.scrollWidth > box.clientWidth && !box.querySelector("h1")) return true;
  }
  return false;
};
const shown = one => one.getBoundingClientRect().width > 1
  && (one.matches("img, svg, canvas, video")
  || [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()));
const ends = one => {
  if (one.matches("img, svg, canvas, video")) return one.getBoundingClientRect().right;
  const range = document.createRange();
  range.selectNodeContents(one);
  return Math.max(0, ...[...range.getClientRects()].map(box => box.width && box.right));
};
const places = document.querySelectorAll("main *").length ? "main *" : "body *";
const out = [...document.querySelectorAll(places)].filter(
  one => shown(one) && one.checkVisibility() && ends(one) > width + 1 && !scrolls(one));
const names = out.slice(0, 3).map(one => one.outerHTML.slice(0, 90).replace(/\\s+/g, " "));
return [root.scrollWidth - width, out.length, names];
"""


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """Start Debian's browser with an empty profile, and end it.

    Raises
    ------
    FileNotFoundError
        If chromium or its driver is not installed.
    """
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not browser or not driver:
        raise FileNotFoundError(
            "chromium and chromedriver must be installed; install Debian's packages chromium and "
            "chromium-driver."
        )
    with tempfile.TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = browser
        for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={WIDE},{HEIGHT}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        running = webdriver.Chrome(options=options, service=Service(driver))
        running.set_page_load_timeout(60)
        running.set_script_timeout(30)
        try:
            yield running
        finally:
            running.quit()


@dataclass
class Browser:
    """A browser, the problems that it met, and where pictures of pages go."""

    driver: webdriver.Chrome
    pictures: Path | None = None
    problems: list[str] = field(default_factory=list)
    n_pages: int = 0

    def say(self, name: str, problem: str) -> None:
        """Note a problem of a page."""
        self.problems.append(f"{name}: {problem}")
        print(self.problems[-1], flush=True)

    def resize(self, width: int) -> None:
        """Make the window so wide, in pixels of the page."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False},
        )

    def errors(self, name: str) -> None:
        """Note what the console says since it was asked last."""
        for entry in self.driver.get_log("browser"):  # type: ignore[no-untyped-call]
            if entry["level"] == "SEVERE":
                self.say(name, f"the console says {entry['message'][:200]}")

    def open(self, path: Path, name: str) -> None:
        """Open a page, wide and then narrow: its console, its pictures, its width."""
        self.n_pages += 1
        self.resize(WIDE)
        try:
            self.driver.get(path.as_uri())
            for source in self.driver.execute_async_script(PICTURES):  # type: ignore[no-untyped-call]
                self.say(name, f"the picture {source} is broken")
            for width in (WIDE, NARROW):
                self.resize(width)
                self.fit(name, width)
        except (TimeoutException, WebDriverException) as error:
            self.say(name, f"could not be opened: {error.msg}")
        self.errors(name)

    def fit(self, name: str, width: int) -> None:
        """Note a page that is wider than its window."""
        beyond, n_cut, elements = self.script(OVERFLOW)
        if beyond > 0 or n_cut:
            self.say(
                name,
                f"{max(beyond, 0)} pixels wider than a window of {width}, {n_cut} elements cut: "
                f"{elements}",
            )
        if self.pictures is not None:
            target = self.pictures / f"{name.replace('/', '_')}-{width}.png"
            self.driver.save_screenshot(str(target))

    def script(self, text: str, *arguments: Any) -> Any:
        """Run a script in the page."""
        return self.driver.execute_script(text, *arguments)  # type: ignore[no-untyped-call]

    def search(self, site: Path, query: str, wanted: str) -> None:
        """Search, and follow the first result."""
        name = f"search.html?q={query}"
        self.resize(WIDE)
        self.driver.get(f"{(site / 'search.html').as_uri()}?q={query}")
        self._wait(self._settled)
        links = self.script(
            "return [...document.querySelectorAll('#search-results li a')].map(one => one.href)"
        )
        if not any(wanted in link for link in links):
            self.say(name, f"{wanted} is not among the {len(links)} results")
        self.resize(NARROW)
        self.fit(name.replace("?", "-"), NARROW)
        self.errors(name)
        if links:
            self.driver.get(links[0])
            if not self._wait(lambda: self.script("return document.querySelector('h1') !== null")):
                self.say(name, f"the first result, {links[0]}, is no page")
            self.errors(name)

    def _settled(self) -> bool:
        """Say whether there are results of a search and no more come."""
        count = "return document.querySelectorAll('#search-results li a').length"
        before = self.script(count)
        time.sleep(0.4)
        return bool(before) and self.script(count) == before

    def _wait(self, holds: Callable[[], bool], seconds: float = 20.0) -> bool:
        """Wait until something holds, and say whether it came to that."""
        end = time.monotonic() + seconds
        while not (held := holds()) and time.monotonic() < end:
            time.sleep(0.1)
        return held


def browse(
    site: Path, report: Path | None = None, pictures: Path | None = None, only: str = "",
    n_browsers: int = 2, seconds: float = float("inf"),
) -> tuple[int, list[str]]:  # fmt: skip
    """Open every page of a site, and the page of a report; return how many, and the problems.

    Parameters
    ----------
    site : pathlib.Path
        The folder with ``index.html``.
    report : pathlib.Path, optional
        The page that ``python -m experiments report`` writes.
    pictures : pathlib.Path, optional
        A folder for a picture of each page, wide and narrow.
    only : str, optional
        Part of the names of the pages that are opened.
    n_browsers : int, default=2
        Browsers that share the pages.
    seconds : float, optional
        Time after which no further page of the API is opened; how many were left out is printed.
    """
    end = time.monotonic() + seconds
    site = site.resolve()
    if pictures is not None:
        pictures.mkdir(parents=True, exist_ok=True)
    wanted = [path for path in pages(site) if only in path.relative_to(site).as_posix()]
    wanted.sort(key=_is_of_object)  # they are many, and alike

    def work(part: int) -> tuple[int, list[str]]:
        with chromium() as driver:
            browser = Browser(driver, pictures)
            if part == 0:
                for query, page in QUERIES.items():
                    browser.search(site, query, page)
                if report is not None:
                    _read(browser, report.resolve())
            left_out = 0
            for path in wanted[part::n_browsers]:
                if _is_of_object(path) and time.monotonic() > end:
                    left_out += 1
                else:
                    browser.open(path, path.relative_to(site).as_posix())
            if left_out:
                print(f"{left_out} pages of the API were not opened: the time was over")
            return browser.n_pages, browser.problems

    with ThreadPoolExecutor(n_browsers) as pool:
        found = list(pool.map(work, range(n_browsers)))
    return sum(n for n, _ in found), [problem for _, problems in found for problem in problems]


def _is_of_object(path: Path) -> bool:
    """Say whether a page is that of one public name."""
    return path.parent.name == "objects"


def _read(browser: Browser, report: Path) -> None:
    """Open the page of a report, and look where its links lead."""
    browser.open(report, report.name)
    links = browser.script(
        "return [...document.querySelectorAll('a')].map(one => one.getAttribute('href'))"
    )
    has_anchor = "return document.getElementById(arguments[0]) !== null"
    for link in filter(None, links):
        if link.startswith("#"):
            if not browser.script(has_anchor, link[1:]):
                browser.say(report.name, f"{link} leads to no anchor")
        elif "://" not in link and not (report.parent / unquote(link)).is_file():
            browser.say(report.name, f"{link} leads to no file")


def main() -> int:
    """Browse the site that the command names, and say what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path)
    parser.add_argument("--report", type=Path, help="the page of a report")
    parser.add_argument("--pictures", type=Path, help="a folder for pictures of the pages")
    parser.add_argument("--only", default="", help="part of the names of the pages to open")
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="after which the API is left out"
    )
    given = parser.parse_args()
    started = time.monotonic()
    n_pages, problems = browse(
        given.site, given.report, given.pictures, given.only, seconds=given.seconds
    )
    print(
        f"{n_pages} pages and {len(QUERIES)} searches in a browser, {len(problems)} "
        f"problem{'s' * (len(problems) != 1)}, {time.monotonic() - started:.0f} s"
    )
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
