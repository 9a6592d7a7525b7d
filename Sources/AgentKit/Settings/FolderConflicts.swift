package import Settings
import TransferCommon

/// Finds folders that do not go together, by the text of their settings alone.
package enum FolderConflicts {
    /// The conflicts of a list of folders. Each is reported at the later folder, so that no conflict is reported twice.
    @Sendable package static func all(_ folders: [FolderSettings]) -> [SettingConflict] {
        folders.indices.flatMap { index in
            let folder = folders[index]
            return folders[..<index].flatMap { conflicts(of: folder, at: index, with: $0) }
                + folders.compactMap { moveConflict(of: folder, at: index, with: $0) }
        }
    }

    /// Whether one path is the other one or lies below it. Both are absolute, without a slash at their ends.
    package static func contains(_ outer: String, _ inner: String) -> Bool {
        inner.hasSameBytes(as: outer) || inner.utf8.starts(with: outer.utf8 + [UInt8(ascii: "/")])
    }

    private static func conflicts(
        of folder: FolderSettings, at index: Int, with earlier: FolderSettings
    ) -> [SettingConflict] {
        var conflicts: [SettingConflict] = []
        if folder.name.hasSameBytes(as: earlier.name) {
            conflicts.append(
                SettingConflict(
                    index: index, key: "name", reason: "another folder is called \(folder.name.shown), too; rename one")
            )
        }
        if contains(earlier.path, folder.path) || contains(folder.path, earlier.path) {
            conflicts.append(
                SettingConflict(
                    index: index, key: "path",
                    reason: "\(folder.path.shown) and the folder \(earlier.name.shown) have files in common; "
                        + "two folders must not contain one another"))
        }
        return conflicts
    }

    /// A file that is moved into a folder would be sent again from there.
    private static func moveConflict(
        of folder: FolderSettings, at index: Int, with other: FolderSettings
    ) -> SettingConflict? {
        guard let moveTo = folder.moveTo, contains(other.path, moveTo) else { return nil }
        return SettingConflict(
            index: index, key: "move-to",
            reason: "\(moveTo.shown) is inside the folder \(other.name.shown), which would send the files again; "
                + "name a directory outside of all folders")
    }
}
