/*
 * Takes the pages of loaded files that starting touched out of this process (see idle-memory.ts).
 *
 * What is asked of the system: madvise(MADV_DONTNEED) over the segments that the loader mapped read-only from a file, of
 * the executable and of every library. Such a page holds what the file holds, so that nothing can be lost: what is
 * touched again comes from the page cache, and only where that has dropped it from the disk, as at the first touch. An
 * executable or library that was replaced since keeps its inode, and so its contents, for as long as it is mapped.
 *
 * Which segments those are is known from the loader and under its lock, so none can be unmapped meanwhile and another
 * mapping take its place. Three things keep a written page out of it: writable segments (RELRO is a part of one) and
 * objects whose text is relocated are passed over, and so is every stretch in which /proc/self/pagemap shows a page
 * that is not the file's. Whatever can't be found out is left as it is; a kernel that refuses is not asked twice.
 */
#define _GNU_SOURCE
#include "file-pages.h"
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/** Pages that are looked at, and given up, at once. */
#define STRETCH 512
#define PRESENT (1ULL << 63)
#define SWAPPED (1ULL << 62)
/** Of a file, or shared: not a copy of this process alone. */
#define OF_FILE (1ULL << 61)

struct search {
  int pagemap;
  uintptr_t page;
};

static int is_relocated(const struct dl_phdr_info *object) {
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
    if (segment->p_type != PT_DYNAMIC) continue;
    const ElfW(Dyn) *entry = (const ElfW(Dyn) *)(object->dlpi_addr + segment->p_vaddr);
    for (; entry->d_tag != DT_NULL; entry++) {
      if (entry->d_tag == DT_TEXTREL) return 1;
      if (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL) != 0) return 1;
    }
  }
  return 0;
}

/** Whether every page there that is present is the file's own. */
static int is_clean(const struct search *search, uintptr_t from, size_t pages) {
  uint64_t entries[STRETCH];
  ssize_t size = (ssize_t)(pages * sizeof *entries);
  off_t at = (off_t)(from / search->page * sizeof *entries);
  if (pread(search->pagemap, entries, (size_t)size, at) != size) return 0;
  for (size_t i = 0; i < pages; i++) {
    if ((entries[i] & SWAPPED) != 0) return 0;
    if ((entries[i] & PRESENT) != 0 && (entries[i] & OF_FILE) == 0) return 0;
  }
  return 1;
}

static int drop_segments(struct dl_phdr_info *object, size_t size, void *data) {
  (void)size;
  const struct search *search = data;
  // The executable has no name, and what the kernel lends (the vDSO) no path.
  if (object->dlpi_name[0] != '\0' && object->dlpi_name[0] != '/') return 0;
  if (is_relocated(object)) return 0;
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
    if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W) != 0) continue;
    uintptr_t from = (object->dlpi_addr + segment->p_vaddr + search->page - 1) & ~(search->page - 1);
    uintptr_t end = (object->dlpi_addr + segment->p_vaddr + segment->p_filesz) & ~(search->page - 1);
    for (; from < end; from += STRETCH * search->page) {
      size_t pages = (end - from) / search->page;
      if (pages > STRETCH) pages = STRETCH;
      if (!is_clean(search, from, pages)) continue;
      if (madvise((void *)from, pages * search->page, MADV_DONTNEED) != 0) return 1;
    }
  }
  return 0;
}

void drop_file_pages(void) {
  struct search search = {.pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC), .page = (uintptr_t)sysconf(_SC_PAGESIZE)};
  if (search.pagemap < 0) return;
  dl_iterate_phdr(drop_segments, &search);
  close(search.pagemap);
}
