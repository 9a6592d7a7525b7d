#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

// Finds and removes folders that contain nothing but folders. A crash can leave such folders behind; they do no harm.
// They may be nested as deeply as a key has segments. The search keeps only their names and opens each folder by its
// whole path, so the number of open descriptors does not grow with the depth.

extension OpenFolder {
    private enum Content {
        case missing
        case onlyFolders([String])
        case somethingElse
    }

    /// Limits of the search. A folder with more levels or more folders in it counts as not empty. A crash never leaves
    /// so many behind.
    private static var depthMax: Int { 512 }
    private static var countMax: Int { 10_000 }

    /// Whether a folder in this folder contains anything except empty folders. The search ends at the first entry that
    /// is not a folder, because a folder may have millions of entries.
    package func holdsAnything(in name: String) throws -> Bool { try emptyFolders(in: name) == nil }

    /// Removes a folder from this folder, with the empty folders in it. If it contains anything else, throws
    /// `ENOTEMPTY` and removes nothing.
    package func removeEmptyFolders(_ name: String) throws {
        guard let paths = try emptyFolders(in: name) else {
            throw FileError(FileCall(.removeFolder, path(of: name)), errno: ENOTEMPTY)
        }
        for path in paths.reversed() {
            if path.count == 1 {
                try removeFolder(path[0])
            } else {
                try openFolder(at: path.dropLast()).removeFolder(path[path.count - 1])
            }
        }
    }

    /// The folder with this name and all folders below it. Each is given by the list of names that leads to it from
    /// this folder. A folder comes before the folders in it.
    ///
    /// - Returns: `nil` if one of them contains anything but folders.
    private func emptyFolders(in name: String) throws -> [[String]]? {
        var found: [[String]] = []
        var pending = [[name]]
        while let path = pending.popLast() {
            switch try content(at: path) {
            case .missing: break
            case .somethingElse: return nil
            case .onlyFolders(let names):
                found.append(path)
                guard path.count < Self.depthMax, found.count + pending.count + names.count <= Self.countMax else {
                    return nil
                }
                pending += names.map { path + [$0] }
            }
        }
        return found
    }

    private func content(at path: [String]) throws -> Content {
        let folder: OpenFolder
        do {
            folder = try openFolder(at: path[...])
        } catch {
            switch error.code {
            case ENOENT: return .missing
            // The entry is not a folder, or it is on another file system: it counts as content.
            case ENOTDIR, ELOOP, EXDEV: return .somethingElse
            default: throw error
            }
        }
        return try folder.content()
    }

    private func content() throws -> Content {
        var names: [String] = []
        var isOnlyFolders = true
        try list { name in
            // `nil` stands for a name that is not UTF-8. No gateway makes such a name, so it belongs to another program
            // and counts as content.
            if let name, names.count < Self.countMax, try isFolder(name) {
                names.append(name)
            } else {
                isOnlyFolders = false
            }
            return isOnlyFolders
        }
        return isOnlyFolders ? .onlyFolders(names) : .somethingElse
    }

    private func isFolder(_ name: String) throws -> Bool {
        do {
            _ = try openFolder(name)
            return true
        } catch {
            switch error.code {
            // Another gateway has removed the entry since the listing.
            case ENOENT: return true
            case ENOTDIR, ELOOP, EXDEV: return false
            default: throw error
            }
        }
    }

    private func openFolder(at path: ArraySlice<String>) throws(FileError) -> OpenFolder {
        var folder = try openFolder(path[path.startIndex])
        for name in path.dropFirst() {
            let next = try folder.openFolder(name)
            folder = next
        }
        return folder
    }
}
