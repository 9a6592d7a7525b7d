import FoundationEssentials

/// A file of a home that may be a symbolic link into a directory which several homes share.
enum SharedFile {
    /// The file that a path leads to after following symbolic links. Replacing the target instead of the link lets
    /// gateways keep sharing the file. The target need not exist yet.
    static func target(of path: String) -> String {
        var url = URL(filePath: path)
        // Linux follows at most 40 links.
        for _ in 0..<40 {
            let here = url.path
            // The call fails for a path that is not a symbolic link: that path is the target.
            guard let next = try? FileManager.default.destinationOfSymbolicLink(atPath: here) else { break }
            url = URL(filePath: next, relativeTo: url.deletingLastPathComponent()).absoluteURL
        }
        return url.path
    }
}
