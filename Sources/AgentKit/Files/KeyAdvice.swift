import TransferCommon

/// Advice about the keys of a push, for users who expect other keys.
package enum KeyAdvice {
    /// The advice about a prefix that is glued to the names of files; `nil` if the prefix is empty or ends in a slash.
    ///
    /// - Parameter key: the first key of the push, prefix included.
    package static func sentence(prefix: String, firstKey key: String) -> String? {
        guard let last = prefix.utf8.last, last != UInt8(ascii: "/") else { return nil }
        return "keys begin with \(key): a prefix usually ends in a slash (--prefix \(prefix)/)"
    }

    /// The advice about a directory whose name is not part of the keys; `nil` if there is none to give.
    ///
    /// - Parameters:
    ///   - paths: what the user names.
    ///   - prefix: what is put before every key.
    package static func sentence(aboutDirectories paths: [String], prefix: String) -> String? {
        guard prefix.isEmpty, let path = paths.first(where: FileWalk.isDirectory) else { return nil }
        let name = path.lastPathSegment
        guard !name.isEmpty, name != ".", name != ".." else { return nil }
        return "keys are paths below \(path), so \(name) is not part of them (--prefix \(name)/ puts it there)"
    }
}
