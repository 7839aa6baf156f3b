/** Takes clean pages of the executable and of libraries out of this process; does what it can, and tells nothing. */
void drop_file_pages(void);
