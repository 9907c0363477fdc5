// Tries what a hostile command would try. Arguments: probes, `name` or `name:argument[:argument]`; one line is printed for each:
// `probe<TAB>ALLOWED|DENIED<TAB>detail`. Each probe runs in a child of its own, so that one that is killed does not end the rest.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/if_packet.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PASS 1
#define FAIL 0
static char detail[4096];

// `result` of a call that hands back -1 and errno: allowed when it worked.
static int worked(long result) {
  if (result >= 0) return PASS;
  snprintf(detail, sizeof detail, "%s", strerror(errno));
  return FAIL;
}

// A call with arguments that no privilege makes valid: allowed when it is refused for them and not for want of rights.
static int reached(long result) {
  if (result >= 0) return PASS;
  snprintf(detail, sizeof detail, "%s", strerror(errno));
  return errno != EPERM && errno != EACCES && errno != ENOSYS;
}

static int opened(const char *path, int flags) {
  int fd = open(path, flags | O_NONBLOCK | O_NOCTTY, 0600);
  return worked(fd);
}

static int has(const char *path, const char *needle) {
  int fd = open(path, O_RDONLY | O_NONBLOCK);
  if (fd < 0) return worked(-1);
  static char buffer[1 << 18];
  ssize_t n, all = 0;
  while (all < (ssize_t)sizeof buffer && (n = read(fd, buffer + all, sizeof buffer - all)) > 0) all += n;
  close(fd);
  int found = memmem(buffer, all, needle, strlen(needle)) != NULL;
  if (!found) snprintf(detail, sizeof detail, "not in it");
  return found;
}

static int every_process(const char *file, const char *needle) {
  DIR *dir = opendir("/proc");
  if (!dir) return worked(-1);
  struct dirent *entry;
  int found = FAIL;
  char path[512], own[64];
  snprintf(own, sizeof own, "%d", getpid());
  while ((entry = readdir(dir))) {
    if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
    snprintf(path, sizeof path, "/proc/%s/%s", entry->d_name, file);
    if (has(path, needle) == PASS) found = PASS;
  }
  closedir(dir);
  return found;
}

static int tcp(int family, const char *address, int port, int type, int protocol) {
  int fd = socket(family, type, protocol);
  if (fd < 0) return worked(-1);
  struct timeval patience = {2, 0};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  struct sockaddr_storage to = {0};
  socklen_t size;
  if (family == AF_INET6) {
    struct sockaddr_in6 *in6 = (void *)&to;
    in6->sin6_family = AF_INET6, in6->sin6_port = htons(port), inet_pton(AF_INET6, address, &in6->sin6_addr), size = sizeof *in6;
  } else {
    struct sockaddr_in *in = (void *)&to;
    in->sin_family = AF_INET, in->sin_port = htons(port), inet_pton(AF_INET, address, &in->sin_addr), size = sizeof *in;
  }
  return worked(connect(fd, (void *)&to, size));
}

static int unix_socket(const char *name, int abstract) {
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) return worked(-1);
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  snprintf(to.sun_path + abstract, sizeof to.sun_path - abstract, "%s", name);
  socklen_t size = offsetof(struct sockaddr_un, sun_path) + abstract + strlen(name) + (abstract ? 0 : 1);
  return worked(connect(fd, (void *)&to, size));
}

static int new_user_by_clone3(void) {
  struct { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls; } args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
  long pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid == 0) _exit(0);
  if (pid > 0) waitpid(pid, NULL, 0);
  return worked(pid);
}

static void *nothing(void *argument) { return argument; }

static int stop_and_look(pid_t pid) {
  if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0) return worked(-1);
  return PASS;
}

static int probe(char *name, char *a, char *b) {
  errno = 0;
  // Files.
  if (!strcmp(name, "read")) return opened(a, O_RDONLY);
  if (!strcmp(name, "write")) return opened(a, O_WRONLY);
  if (!strcmp(name, "create")) { int r = opened(a, O_WRONLY | O_CREAT | O_EXCL); if (r) unlink(a); return r; }
  if (!strcmp(name, "append")) return opened(a, O_WRONLY | O_APPEND);
  if (!strcmp(name, "list")) return worked(opendir(a) ? 0 : -1);
  if (!strcmp(name, "stat")) { struct stat s; return worked(stat(a, &s)); }
  if (!strcmp(name, "chmod")) return worked(chmod(a, 0600));
  if (!strcmp(name, "utime")) return worked(utimensat(AT_FDCWD, a, NULL, 0));
  if (!strcmp(name, "setxattr")) return worked(syscall(SYS_setxattr, a, "user.probe", "1", 1L, 0L));
  if (!strcmp(name, "chown")) return worked(chown(a, getuid(), getgid()));
  if (!strcmp(name, "truncate")) return worked(truncate(a, 1));
  if (!strcmp(name, "unlink")) return worked(unlink(a));
  if (!strcmp(name, "rename")) return worked(rename(a, b));
  if (!strcmp(name, "link")) return worked(link(a, b));
  if (!strcmp(name, "mkdir")) { int r = mkdir(a, 0700); if (!r) rmdir(a); return worked(r); }
  if (!strcmp(name, "bytes")) { char one; int fd = open(a, O_RDONLY | O_NONBLOCK); return worked(fd < 0 ? -1 : read(fd, &one, 1) - 1); }
  if (!strcmp(name, "contains")) return has(a, b);
  if (!strcmp(name, "environ")) return every_process("environ", a);
  if (!strcmp(name, "cmdline")) return every_process("cmdline", a);
  if (!strcmp(name, "descriptors")) {
    int count = 0;
    for (int fd = 3; fd < 4096; fd++) if (fcntl(fd, F_GETFD) >= 0) count++;
    snprintf(detail, sizeof detail, "%d open", count);
    return count > 0;
  }
  if (!strcmp(name, "mknod-disk")) {
    char path[256];
    snprintf(path, sizeof path, "%s/disk-%d", a, getpid());
    if (mknod(path, S_IFBLK | 0600, makedev(254, 0)) < 0) return worked(-1);
    int r = opened(path, O_RDONLY);
    unlink(path);
    return r;
  }
  if (!strcmp(name, "setuid-mark")) {
    char path[256];
    snprintf(path, sizeof path, "%s/mark-%d", a, getpid());
    int fd = open(path, O_CREAT | O_WRONLY, 0755);
    int r = worked(fd < 0 ? -1 : fchmod(fd, 04755));
    unlink(path);
    return r;
  }
  if (!strcmp(name, "own-program")) return opened("/proc/self/exe", O_WRONLY);
  if (!strcmp(name, "init-program")) return opened("/proc/1/exe", O_RDONLY);
  // Other processes.
  if (!strcmp(name, "ptrace")) return stop_and_look(atoi(a));
  if (!strcmp(name, "vm-read")) {
    char one;
    struct iovec here = {&one, 1}, there = {(void *)detail, 1};
    return reached(process_vm_readv(atoi(a), &here, 1, &there, 1, 0)) && errno != ESRCH;
  }
  if (!strcmp(name, "pidfd-getfd")) {
    int pidfd = syscall(SYS_pidfd_open, atoi(a), 0);
    if (pidfd < 0) return worked(-1);
    return worked(syscall(SYS_pidfd_getfd, pidfd, 0, 0));
  }
  if (!strcmp(name, "kcmp")) return worked(syscall(SYS_kcmp, getpid(), atoi(a), 0, 0, 0));
  if (!strcmp(name, "signal")) return worked(kill(atoi(a), 0));
  // Namespaces and mounts.
  if (!strcmp(name, "unshare-user")) return worked(unshare(CLONE_NEWUSER));
  if (!strcmp(name, "unshare-mount")) return worked(unshare(CLONE_NEWNS));
  if (!strcmp(name, "clone3-user")) return new_user_by_clone3();
  if (!strcmp(name, "clone-user")) {
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(0);
    if (pid > 0) waitpid(pid, NULL, 0);
    return worked(pid);
  }
  if (!strcmp(name, "setns")) { int fd = open("/proc/self/ns/uts", O_RDONLY); return worked(setns(fd, 0)); }
  if (!strcmp(name, "mount")) { mkdir(a, 0700); return worked(mount("x", a, "tmpfs", 0, NULL)); }
  if (!strcmp(name, "remount")) return worked(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL));
  if (!strcmp(name, "umount")) return reached(umount2("/does-not-exist", MNT_DETACH));
  if (!strcmp(name, "pivot-root")) return reached(syscall(SYS_pivot_root, "/nowhere", "/nowhere"));
  if (!strcmp(name, "open-tree")) return worked(syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* clone */));
  if (!strcmp(name, "fsopen")) return worked(syscall(SYS_fsopen, "tmpfs", 0));
  if (!strcmp(name, "move-mount")) return reached(syscall(SYS_move_mount, -1, "", -1, "", 4));
  if (!strcmp(name, "mount-setattr")) return reached(syscall(SYS_mount_setattr, AT_FDCWD, "/nowhere", 0, NULL, 0));
  if (!strcmp(name, "chroot")) return worked(chroot("/usr"));
  // The kernel. None of these would change anything if it were let through.
  if (!strcmp(name, "bpf")) return reached(syscall(SYS_bpf, 9999, NULL, 0));
  if (!strcmp(name, "perf")) {
    struct perf_event_attr attribute = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attribute, .config = PERF_COUNT_SW_CPU_CLOCK, .exclude_kernel = 1, .exclude_hv = 1};
    return worked(syscall(SYS_perf_event_open, &attribute, 0, -1, -1, 0));
  }
  if (!strcmp(name, "io-uring")) { char params[256] = {0}; return worked(syscall(SYS_io_uring_setup, 2, params)); }
  if (!strcmp(name, "userfaultfd")) return worked(syscall(SYS_userfaultfd, O_CLOEXEC | 1));
  if (!strcmp(name, "keyctl")) return worked(syscall(SYS_keyctl, 0 /* get keyring id */, -4 /* user keyring */, 1));
  if (!strcmp(name, "add-key")) return worked(syscall(SYS_add_key, "user", "probe", "x", 1L, -3 /* session */));
  if (!strcmp(name, "init-module")) return reached(syscall(SYS_init_module, NULL, 0, ""));
  if (!strcmp(name, "kexec")) return reached(syscall(SYS_kexec_load, 0, 17, NULL, 0xffff0000));
  if (!strcmp(name, "handle")) {
    struct { struct file_handle head; char rest[128]; } handle = {.head.handle_bytes = 8};
    return reached(open_by_handle_at(AT_FDCWD, &handle.head, O_RDONLY));
  }
  if (!strcmp(name, "fanotify")) return worked(syscall(SYS_fanotify_init, 0, O_RDONLY));
  if (!strcmp(name, "quotactl")) return reached(syscall(SYS_quotactl, 0, "/nowhere", 0, NULL));
  if (!strcmp(name, "swapon")) return reached(swapon("/nowhere", 0));
  if (!strcmp(name, "reboot")) return reached(syscall(SYS_reboot, 1, 2, 3, NULL));
  if (!strcmp(name, "settime")) { struct timeval wrong = {0, 2000000}; return reached(syscall(SYS_settimeofday, &wrong, NULL)); }
  if (!strcmp(name, "syslog")) return worked(syscall(SYS_syslog, 10 /* size */, NULL, 0));
  if (!strcmp(name, "acct")) return reached(acct("/nowhere"));
  if (!strcmp(name, "sethostname")) { char host[65]; gethostname(host, sizeof host); return worked(sethostname(host, strlen(host))); }
#ifdef __x86_64__
  if (!strcmp(name, "i386-socket")) {
    long result;
    // 359 is `socket` of the 32-bit interface.
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(359L), "b"((long)AF_INET), "c"((long)SOCK_STREAM), "d"(0L) : "memory");
    errno = result < 0 ? -result : 0;
    return worked(result < 0 ? -1 : 0);
  }
  if (!strcmp(name, "x32-socket")) return worked(syscall(0x40000000L | SYS_socket, AF_INET, SOCK_STREAM, 0));
#endif
  if (!strcmp(name, "tiocsti")) return reached(ioctl(0, TIOCSTI, "x"));
  if (!strcmp(name, "tiocsti-high")) return reached(syscall(SYS_ioctl, 0, 0xdead00000000UL | TIOCSTI, "x"));
  if (!strcmp(name, "tioclinux")) return reached(ioctl(0, TIOCLINUX, "\3"));
  if (!strcmp(name, "terminal")) return opened("/dev/tty", O_RDWR);
  // Sockets.
  if (!strcmp(name, "tcp")) return tcp(AF_INET, a, atoi(b), SOCK_STREAM, 0);
  if (!strcmp(name, "tcp6")) return tcp(AF_INET6, "::1", atoi(a), SOCK_STREAM, 0);
  if (!strcmp(name, "mptcp")) return tcp(AF_INET, a, atoi(b), SOCK_STREAM, 262);
  if (!strcmp(name, "fast-open")) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(b))};
    inet_pton(AF_INET, a, &to.sin_addr);
    return worked(fd < 0 ? -1 : sendto(fd, "x", 1, MSG_FASTOPEN, (void *)&to, sizeof to));
  }
  if (!strcmp(name, "udp")) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(b))};
    inet_pton(AF_INET, a, &to.sin_addr);
    return worked(fd < 0 ? -1 : sendto(fd, "x", 1, 0, (void *)&to, sizeof to));
  }
  if (!strcmp(name, "ping")) return worked(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
  if (!strcmp(name, "raw")) return worked(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  if (!strcmp(name, "packet")) return worked(socket(AF_PACKET, SOCK_RAW, 0));
  if (!strcmp(name, "netlink")) return worked(socket(AF_NETLINK, SOCK_RAW, 0));
  if (!strcmp(name, "netlink-audit")) return worked(socket(AF_NETLINK, SOCK_RAW, 9));
  if (!strcmp(name, "family")) return worked(socket(atoi(a), SOCK_STREAM, 0));
  if (!strcmp(name, "seqpacket-family")) return worked(socket(atoi(a), SOCK_SEQPACKET, 0));
  if (!strcmp(name, "unix")) return unix_socket(a, 0);
  if (!strcmp(name, "abstract")) return unix_socket(a, 1);
  if (!strcmp(name, "listen")) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return worked(fd < 0 ? -1 : bind(fd, (void *)&at, sizeof at));
  }
  // What has to work for programs to be of use.
  if (!strcmp(name, "socketpair")) { int two[2]; return worked(socketpair(AF_UNIX, SOCK_STREAM, 0, two)); }
  if (!strcmp(name, "thread")) { pthread_t t; int r = pthread_create(&t, NULL, nothing, NULL); if (!r) pthread_join(t, NULL); errno = r; return worked(r ? -1 : 0); }
  if (!strcmp(name, "memfd-exec")) {
    int fd = memfd_create("probe", 0), self = open("/usr/bin/true", O_RDONLY);
    char buffer[65536];
    ssize_t n;
    while ((n = read(self, buffer, sizeof buffer)) > 0) if (write(fd, buffer, n) != n) return FAIL;
    pid_t pid = fork();
    if (pid == 0) { char *argv[] = {"true", NULL}, *envp[] = {NULL}; fexecve(fd, argv, envp); _exit(1); }
    int status;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  if (!strcmp(name, "pseudo-terminal")) return worked(posix_openpt(O_RDWR | O_NOCTTY));
  snprintf(detail, sizeof detail, "no such probe");
  return FAIL;
}

int main(int count, char **arguments) {
  for (int i = 1; i < count; i++) {
    int pipes[2];
    if (pipe2(pipes, O_CLOEXEC)) return 2;
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0) return 3;
    if (pid == 0) {
      // The pipe is this program's own and no leak.
      close(pipes[0]);
      int out = dup2(pipes[1], 2);
      close(pipes[1]);
      char *copy = strdup(arguments[i]), *rest = copy;
      char *name = strsep(&rest, "|"), *a = strsep(&rest, "|"), *b = strsep(&rest, "|");
      detail[0] = 0;
      int result = probe(name, a, b);
      dprintf(out, "%s\t%s", result ? "ALLOWED" : "DENIED", detail);
      _exit(0);
    }
    close(pipes[1]);
    char line[8192];
    ssize_t n, all = 0;
    while ((n = read(pipes[0], line + all, sizeof line - 1 - all)) > 0) all += n;
    line[all] = 0;
    close(pipes[0]);
    int status;
    waitpid(pid, &status, 0);
    if (all == 0) snprintf(line, sizeof line, "DENIED\tkilled by signal %d", WTERMSIG(status));
    printf("%s\t%s\n", arguments[i], line);
  }
  return 0;
}
