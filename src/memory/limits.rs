//! Memory limits of this process: those of its control groups (cgroups, version 1 and 2: containers, systemd, Slurm) and
//! its own (`ulimit -v`, `ulimit -d`). Linux shows them in files.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The smallest remainder of all limits, in bytes; `None` without limits.
pub fn left() -> Option<u64> {
    left_under(Path::new("/"))
}

/// [`left`] with another root of the file system, for tests.
fn left_under(root: &Path) -> Option<u64> {
    of_groups(root).into_iter().chain(of_process(root)).min()
}

/// Files of a version of cgroups: a group's limit, its use, and the cached files in it, which the system drops before it
/// kills.
struct Files {
    limit: &'static str,
    usage: &'static str,
    cached: [&'static str; 2],
}

const VERSION_1: Files = Files {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    cached: ["total_inactive_file", "total_active_file"],
};
const VERSION_2: Files =
    Files { limit: "memory.max", usage: "memory.current", cached: ["inactive_file", "active_file"] };

impl Files {
    /// Bytes left of a group's limit, if it has one.
    fn left(&self, group: &Path) -> Option<u64> {
        let number = |file: &str| -> Option<u64> { read(&group.join(file))?.trim().parse().ok() };
        let (limit, usage) = (number(self.limit)?, number(self.usage)?);
        let stat = read(&group.join("memory.stat")).unwrap_or_default();
        let cached: u64 = self.cached.iter().filter_map(|&key| value(&stat, key)).sum();
        Some(limit.saturating_sub(usage.saturating_sub(cached)))
    }
}

/// Bytes left of the limits of this process's group and of every group above it.
fn of_groups(root: &Path) -> Vec<u64> {
    let groups = read(&root.join("proc/self/cgroup")).unwrap_or_default();
    let mounts = read(&root.join("proc/self/mountinfo")).unwrap_or_default();
    let mut left = Vec::new();
    for mount in mounts.lines().filter_map(Mount::parse) {
        // Lines are ID:CONTROLLERS:PATH; version 2 names no controllers.
        let of_group = groups.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            let is_own = match mount.files.limit {
                limit if limit == VERSION_2.limit => controllers.is_empty(),
                _ => controllers.split(',').any(|controller| controller == "memory"),
            };
            is_own.then_some(path)
        });
        let Some(path) = of_group else { continue };
        let top = root.join(mount.point.trim_start_matches('/'));
        // In a container the path may be the host's, beginning with the root of the mount, or lead outside of the mount.
        let below = Path::new(path).strip_prefix(mount.root).unwrap_or(Path::new(""));
        let group: PathBuf = top.join(below);
        left.extend(
            group.ancestors().take_while(|group| group.starts_with(&top)).filter_map(|g| mount.files.left(g)),
        );
    }
    left
}

/// A mounted hierarchy of groups that limit memory.
struct Mount<'a> {
    /// The group at the mount point.
    root: &'a str,
    point: &'a str,
    files: &'static Files,
}

impl<'a> Mount<'a> {
    /// Parses a line of `mountinfo`: ID PARENT DEVICE ROOT POINT OPTIONS … - TYPE SOURCE OPTIONS.
    fn parse(line: &'a str) -> Option<Self> {
        let (place, kind) = line.split_once(" - ")?;
        let (mut place, mut kind) = (place.split(' ').skip(3), kind.split(' '));
        let files = match (kind.next()?, kind.nth(1)?) {
            ("cgroup2", _) => &VERSION_2,
            ("cgroup", options) if options.split(',').any(|option| option == "memory") => &VERSION_1,
            _ => return None,
        };
        Some(Self { root: place.next()?, point: place.next()?, files })
    }
}

/// Bytes left of this process's own limits: address space and data.
fn of_process(root: &Path) -> Vec<u64> {
    let limits = read(&root.join("proc/self/limits")).unwrap_or_default();
    let status = read(&root.join("proc/self/status")).unwrap_or_default();
    let left = |(limit, used): (&str, &str)| {
        let limit = limits.lines().find_map(|line| line.strip_prefix(limit))?;
        let limit: u64 = limit.split_whitespace().next()?.parse().ok()?;
        Some(limit.saturating_sub(value(&status, used)?.saturating_mul(1 << 10)))
    };
    [("Max address space", "VmSize:"), ("Max data size", "VmData:")].into_iter().filter_map(left).collect()
}

/// The number after `key` at the beginning of a line.
fn value(text: &str, key: &str) -> Option<u64> {
    let mut lines = text.lines().map(|line| line.split_ascii_whitespace());
    lines.find_map(|mut words| (words.next() == Some(key)).then(|| words.next()?.parse().ok())?)
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root with these files.
    fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    const HYBRID: [(&str, &str); 1] = [(
        "proc/self/mountinfo",
        "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n\
         36 31 0:33 / /sys/fs/cgroup/devices rw,relatime - cgroup cgroup rw,devices\n\
         41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n",
    )];
    const UNIFIED: [(&str, &str); 1] =
        [("proc/self/mountinfo", "29 23 0:25 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n")];

    #[test]
    fn no_limit_is_none() {
        assert_eq!(left_under(root(&[]).path()), None);
        let of = [UNIFIED[0], ("proc/self/cgroup", "0::/a/b\n"), ("sys/fs/cgroup/a/b/memory.max", "max\n")];
        assert_eq!(left_under(root(&of).path()), None);
    }

    #[test]
    fn version_1_counts_cached_files_as_free() {
        let of = [
            HYBRID[0],
            ("proc/self/cgroup", "8:pids:/\n4:cpu,memory:/slurm/job 7/step\n0::/\n"),
            ("sys/fs/cgroup/memory/slurm/job 7/step/memory.limit_in_bytes", "9223372036854771712\n"),
            ("sys/fs/cgroup/memory/slurm/job 7/step/memory.usage_in_bytes", "100\n"),
            ("sys/fs/cgroup/memory/slurm/job 7/memory.limit_in_bytes", "1000\n"),
            ("sys/fs/cgroup/memory/slurm/job 7/memory.usage_in_bytes", "700\n"),
            (
                "sys/fs/cgroup/memory/slurm/job 7/memory.stat",
                "inactive_file 9\ntotal_inactive_file 100\ntotal_active_file 50\n",
            ),
        ];
        assert_eq!(left_under(root(&of).path()), Some(450));
    }

    #[test]
    fn the_tightest_group_of_version_2_counts_at_any_depth() {
        let of = [
            UNIFIED[0],
            ("proc/self/cgroup", "0::/user.slice/a/b/run.scope\n"),
            ("sys/fs/cgroup/user.slice/memory.max", "5000\n"),
            ("sys/fs/cgroup/user.slice/memory.current", "4900\n"),
            ("sys/fs/cgroup/user.slice/memory.stat", "anon 4000\ninactive_file 600\nactive_file 10\n"),
            ("sys/fs/cgroup/user.slice/a/b/run.scope/memory.max", "2000\n"),
            ("sys/fs/cgroup/user.slice/a/b/run.scope/memory.current", "300\n"),
        ];
        assert_eq!(left_under(root(&of).path()), Some(710));
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_top() {
        let files = [("sys/fs/cgroup/memory.max", "3000"), ("sys/fs/cgroup/memory.current", "1000")];
        for (path, mounted) in
            [("/", "/"), ("/docker/abc", "/docker/abc"), ("/../..", "/"), ("/docker/abc", "/other")]
        {
            let group = format!("0::{path}\n");
            let mount = format!("29 23 0:25 {mounted} /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
            let of = [("proc/self/cgroup", &*group), ("proc/self/mountinfo", &*mount), files[0], files[1]];
            assert_eq!(left_under(root(&of).path()), Some(2000), "{path}, {mounted}");
        }
    }

    #[test]
    fn the_process_has_limits_of_its_own() {
        let of = [
            (
                "proc/self/limits",
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max data size             unlimited            unlimited            bytes     \n\
                 Max address space         1024000              unlimited            bytes     \n",
            ),
            ("proc/self/status", "Name:\trbm-gpu\nVmPeak:\t     900 kB\nVmSize:\t     800 kB\n"),
        ];
        assert_eq!(left_under(root(&of).path()), Some(1_024_000 - 800 * 1024));
    }
}
