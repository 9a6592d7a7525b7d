#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The user as whom an administrator's command works.
package enum ActingUser {
    /// Lets the rest of this process work as the owner of a folder, if the process is root's and the folder is not.
    ///
    /// Files that root made in the folder of a service would lock the service out. Giving them away afterwards is not
    /// safe: the service could put links in the place of its folders, and would get files elsewhere.
    ///
    /// - Parameters:
    ///   - folder: the folder in question.
    ///   - inner: a folder in it whose owner decides if it exists; `nil` if there is none. A link does not count as a
    ///     folder.
    /// - Returns: whether the process works as another user now. Without the right to do so it stays root's.
    @discardableResult
    package static func becomeOwner(of folder: String, orOf inner: String? = nil) -> Bool {
        var status = stat()
        let path = inner.map { "\(folder)/\($0)" } ?? folder
        let isInner = lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
        guard geteuid() == 0, isInner || stat(folder, &status) == 0, status.st_uid != 0 else { return false }
        var group = status.st_gid
        // The user comes last, because only root may change the groups.
        return setgroups(1, &group) == 0 && setegid(group) == 0 && seteuid(status.st_uid) == 0
    }
}
