#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A user and a group to whom files belong.
package struct FileOwner: Hashable, Sendable {
    package let user: UInt32
    package let group: UInt32

    /// The owner of the files that this process makes in the folders of another user.
    ///
    /// Only root needs this, because an administrator also works in the folders of services: a file that stayed root's
    /// would lock the service out.
    /// - Parameter folders: the folders in question, the most specific first. The first one that is not root's decides.
    /// - Returns: `nil` if the files stay those of the process's user.
    package init?(forFilesOfRootIn folders: [FileStatus]) {
        guard geteuid() == 0, let folder = folders.first(where: { $0.owner != 0 }) else { return nil }
        self.user = folder.owner
        self.group = folder.group
    }
}
