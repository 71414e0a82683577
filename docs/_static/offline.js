/* Read from a disk, a page may not fetch another one: the search does without its summaries. */
if (location.protocol === "file:") {
  DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
}
