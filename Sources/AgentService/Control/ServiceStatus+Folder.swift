import AgentKit
import FolderCore
import TransferCommon
import TransferCore

// The status of a folder, from the machine and the shell.

extension ServiceStatus.Folder {
    /// How many troubles of a folder a status lists.
    static let troublesMax = 100

    init(
        _ folder: WatchedFolder, _ summary: FolderSummary, _ figures: FolderFigures, sending: [SendUnderWay],
        _ machine: Folders
    ) {
        self.init(name: folder.settings.name, path: folder.settings.path)
        state = summary.activity.rawValue
        reason = summary.reason
        pending = summary.pendingCount
        pendingBytes = summary.pendingBytes
        oldestSeconds = summary.oldestAge.map { Int(clamping: $0.components.seconds) }
        self.sending = sending.map { ServiceStatus.Sending($0, in: folder) }
            .sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        troubles = summary.troubles.compactMap { ServiceStatus.Trouble($0, in: folder, machine) }
        troubleCount = summary.troubleCount
        proven = summary.provenCount
        provenSinceStart = figures.proven
        removedSinceStart = figures.removed
        lastProven = figures.lastProven
        freeBytes = summary.freeBytes
    }
}

extension ServiceStatus.Sending {
    fileprivate init(_ send: SendUnderWay, in folder: WatchedFolder) {
        self.init(
            id: folder.text(of: send.order.item), key: send.order.key.text, path: send.order.path.text,
            bytes: send.progress?.size ?? send.reading.opened?.reading.stamp.size ?? 0,
            storedBytes: send.progress?.storedBytes ?? 0, sentBytes: send.progress?.bytesSent ?? 0)
    }
}

extension ServiceStatus.Trouble {
    /// - Returns: `nil` if the item has left.
    fileprivate init?(_ id: ItemID, in folder: WatchedFolder, _ machine: Folders) {
        guard let item = machine.item(id), let standing = machine.standing(of: id) else { return nil }
        self.init(
            id: folder.text(of: id), path: item.path.text, state: item.phase.state.rawValue, reason: standing.reason)
    }
}

extension WatchedFolder {
    /// The item as people name it: `FOLDER:PLACE.GENERATION`.
    func text(of id: ItemID) -> String { "\(settings.name):\(id.place).\(id.generation)" }
}
