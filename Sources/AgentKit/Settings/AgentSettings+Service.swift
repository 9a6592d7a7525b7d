package import FolderCore
import Settings

extension AgentSettings {
    /// The settings of the folders in the form in which the machine takes them, in the order of the file.
    package var folderRules: [FolderRules] {
        folders.map { $0.rules(prefix: prefix, quarantineAfter: quarantineAfter) }
    }

    /// The settings of the whole service in the form in which the machine takes them.
    ///
    /// - Parameter device: the device's name, for keys with the field `{device}`.
    package func folderLimits(device: String) -> FolderLimits {
        var limits = FolderLimits()
        limits.device = device
        limits.stateBytesMax = stateLimit?.bytes
        return limits
    }

    /// The rates of the service by the clock.
    package var rateSchedule: RateSchedule { limits.schedule(limitRate: limitRate) }

    /// Why the folders cannot be watched from this home; `nil` if they can. The home must not be sent or deleted.
    ///
    /// - Parameter home: a path. Its links and those of the folders are followed, as far as they exist.
    package func folderProblem(home: String) -> String? {
        guard let folder = folders.first(where: { Self.isIn($0.path, home) }) else { return nil }
        return "the folder \(folder.name) contains the home \(home.shown); choose another home with --home"
    }

    private static func isIn(_ folder: String, _ home: String) -> Bool {
        FolderConflicts.contains(folder, home) || FileIdentity(of: folder)?.contains(home) == true
    }
}
