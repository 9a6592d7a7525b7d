import FolderCore
package import Settings
import TransferCommon
import TransferCore

extension FolderSettings {
    /// How many folders an agent may watch.
    package static let countMax = 256

    /// The keys of a folder.
    package static let keys = SettingMap(
        initial: initial, settings: fileKeys + sendingKeys + removingKeys, rules: rules)

    /// The form of the list of all folders.
    package static let list = keys.list(
        words: "a list of folders", countMax: countMax, conflicts: FolderConflicts.all)

    private static let initial = FolderSettings()
    private static let patternsMax = 256
    private static let timeMax = Duration.seconds(3_660 * 86_400)

    private static let fileKeys: [Setting<FolderSettings>] = [
        Setting(
            "name", \.name, .folderName, scope: .fileOnly, initial: initial, usual: "none; it has to be given",
            "The name of the folder in commands and in `status`. The service keeps its records of the files under it."),
        Setting(
            "path", \.path, .absolutePath, scope: .fileOnly, initial: initial, usual: "none; it has to be given",
            "The directory to watch, with all directories below it."),
        Setting(
            "include", \.include, .patterns(countMax: patternsMax), scope: .fileOnly, initial: initial,
            usual: "all files", "If given, only files that match one of these patterns are sent."),
        Setting(
            "exclude", \.exclude, .patterns(countMax: patternsMax), scope: .fileOnly, initial: initial,
            "Files and directories that match one of these patterns are left out."),
        Setting(
            "symlinks", \.symbolicLinks, .word(), scope: .fileOnly, initial: initial,
            "Symbolic links are neither followed nor sent."),
        Setting(
            "ready", \.ready, Readiness.keys.form(words: "a map with when, for and marker"), scope: .fileOnly,
            initial: initial, usual: "{when: idle, for: 10s}", "When a file may be sent."),
        Setting(
            "rescan", \.rescan, .time(.seconds(1)...(.seconds(86_400)), words: "a time from 1s to 1d, such as 30s"),
            scope: .fileOnly, initial: initial, "The shortest time between two scans of the whole folder."),
    ]

    private static let sendingKeys: [Setting<FolderSettings>] = [
        Setting(
            "key", \.key, .keyPattern, scope: .fileOnly, initial: initial,
            "The pattern of the keys, with fields in braces."),
        Setting(
            "order", \.order,
            .word([("oldest", .oldest), ("newest", .newest), ("smallest", .smallest), ("name", .name)]),
            scope: .fileOnly, initial: initial, "Which file is sent first among files of one priority."),
        Setting(
            "priority", \.priority, .count(MeteredSettings.priorityRange), scope: .fileOnly, initial: initial,
            "Files of a higher priority are sent first."),
        Setting(
            "on-change", \.onChange, .word([("keep", .keep), ("replace", .replace), ("new-key", .newKey)]),
            scope: .fileOnly, initial: initial,
            "What happens if the key holds an object with other content, for example after a file was changed."),
        Setting(
            "receipts", \.receipts, .truth, scope: .fileOnly, initial: initial, usual: "the agent's `receipts`",
            "Ask for the gateway's signed receipts."),
        Setting(
            "content-type", \.contentType, .contentType, scope: .fileOnly, initial: initial,
            usual: "the agent's `content-type`", "The objects' content type, for example video/mp4."),
        Setting(
            "metadata", \.metadata, .metadata, scope: .fileOnly, initial: initial,
            "Names with values that the store keeps with each object."),
    ]

    private static let removingKeys: [Setting<FolderSettings>] = [
        Setting(
            "after", \.after, .word(), scope: .fileOnly, initial: initial,
            "What happens to a file once it is proven."),
        Setting(
            "move-to", \.moveTo, .absolutePath, scope: .fileOnly, initial: initial,
            "With `after: move`: the directory for the files, on the same file system."),
        Setting(
            "grace", \.grace, .time(.zero...timeMax, words: "a time, such as 30s or 1h"), scope: .fileOnly,
            initial: initial, usual: usualGrace.description,
            "How long a proven file stays before it is deleted or moved."),
        Setting(
            "confirm", \.confirmsBeforeRemoval, .word([("before-delete", true), ("never", false)]), scope: .fileOnly,
            initial: initial, "Whether the gateway is asked for the object again before its file is deleted or moved."),
        Setting(
            "recheck", \.rechecksContent, .word([("content", true), ("stamp", false)]), scope: .fileOnly,
            initial: initial,
            "What is compared with the proof before a file is deleted or moved: its content, or only its stamp."),
        Setting(
            "disk", \.disk, DiskRule.keys.form(words: "a map with free-min and when-full"), scope: .fileOnly,
            initial: initial, usual: "no limit", "What happens while the file system is nearly full."),
    ]

    private static let rules: [SettingRule<FolderSettings>] = [
        SettingRule("name") { $0.name.isEmpty ? "the key name is missing" : nil },
        SettingRule("path") { $0.path.isEmpty ? "the key path is missing" : nil },
        SettingRule("after") { folder in
            folder.after == .move && folder.moveTo == nil
                ? "move needs the key move-to, the directory for the files" : nil
        },
        SettingRule("move-to") { folder in
            folder.after != .move && folder.moveTo != nil
                ? "has no effect without after: move; add that, or remove it" : nil
        },
        SettingRule("grace") { folder in
            folder.after == .keep && folder.grace != nil
                ? "has no effect without after: delete or after: move; add one of them, or remove it" : nil
        },
        // A file that is moved takes up its space as before. With `shed` all files that are not stored would follow.
        SettingRule("disk") { folder in
            folder.after == .move && folder.disk.whenFull != .hold
                ? "must have when-full: hold with after: move, which frees no space; choose that, or after: delete"
                : nil
        },
        SettingRule("metadata") { folder in
            do throws(UploadFailure) {
                _ = try folder.objectMetadata(contentType: "")
                return nil
            } catch {
                return error.message
            }
        },
    ]
}

extension FolderSettings.Readiness {
    /// The keys of `ready`.
    package static let keys = SettingMap(
        initial: initial,
        settings: [
            Setting(
                "when", \.when,
                .word([("idle", .idle), ("rename", .rename), ("close-write", .closeWrite), ("marker", .marker)]),
                scope: .fileOnly, initial: initial, "What shows that a file is complete."),
            Setting(
                "for", \.settle, .time(.zero...(.seconds(86_400)), words: "a time up to 1d, such as 10s"),
                scope: .fileOnly, initial: initial,
                "How far apart two looks at a file are. Both have to find the same file."),
            Setting(
                "marker", \.marker, .word([(usualMarker, usualMarker)]), scope: .fileOnly, initial: initial,
                usual: usualMarker,
                "With `when: marker`: what is added to the name of a file to get the name of its marker."),
        ],
        rules: [
            SettingRule("marker") { ready in
                ready.when != .marker && ready.marker != nil
                    ? "has no effect without when: marker; add that, or remove it" : nil
            }
        ])

    private static let initial = FolderSettings.Readiness()
}

extension FolderSettings.DiskRule {
    /// The keys of `disk`.
    package static let keys = SettingMap(
        initial: initial,
        settings: [
            Setting(
                "free-min", \.freeMin, .size(1...(1 << 60), words: "a size, such as 5GiB"), scope: .fileOnly,
                initial: initial, "The file system is nearly full while it has less free space than this."),
            Setting(
                "when-full", \.whenFull,
                .word([("hold", .hold), ("delete-proven-early", .deleteProvenEarly), ("shed", .shed)]),
                scope: .fileOnly, initial: initial, "What the service deletes while the file system is nearly full."),
        ],
        rules: [
            SettingRule("when-full") { disk in
                disk.whenFull != .hold && disk.freeMin == nil
                    ? "has no effect without free-min; add that, or remove it" : nil
            }
        ])

    private static let initial = FolderSettings.DiskRule()
}
