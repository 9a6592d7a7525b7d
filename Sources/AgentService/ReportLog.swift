import AgentKit
import FolderCore
import Logging
import TransferCommon

/// What has happened to the files of a folder since the service began.
struct FolderFigures: Sendable {
    var proven = 0
    var removed = 0
    var lastProven: String?
}

/// Figures of folders, by the bytes of their names. They outlive a reload.
struct FiguresByFolder: Sendable {
    private var figures: [[UInt8]: FolderFigures] = [:]

    subscript(folder: WatchedFolder) -> FolderFigures {
        get { figures[Array(folder.settings.name.utf8), default: FolderFigures()] }
        set { figures[Array(folder.settings.name.utf8)] = newValue }
    }
}

/// Writes the machine's reports to the log, and counts them.
struct ReportLog: Sendable {
    let folders: [WatchedFolder]
    let logger: Logger
    var figures: FiguresByFolder

    /// - Parameter machine: the machine that has made the report.
    mutating func take(_ report: FolderReport, of machine: Folders) {
        switch report {
        case .proven(let id, let path):
            guard let item = machine.item(id), let folder = folders[item.folder] else { return }
            logger.info(
                "Proven",
                metadata: [
                    "folder": "\(folder.settings.name)", "path": "\(path)", "key": "\(item.key?.text ?? "")",
                ])
            figures[folder].proven += 1
            figures[folder].lastProven = path.text
        case .removed(_, let id, let path):
            guard let folder = folders[id] else { return }
            figures[folder].removed += 1
            logger.info(
                folder.settings.after == .move ? "Moved" : "Deleted",
                metadata: ["folder": "\(folder.settings.name)", "path": "\(path)"])
        case .removalRefused(_, let path, .failed(let reason)):
            // The system refuses, which does not pass by itself.
            logger.warning("A proven file stays: \(reason)", metadata: ["path": "\(path)"])
        case .removalRefused(_, let path, let refusal):
            logger.info("A proven file stays: \(refusal.words)", metadata: ["path": "\(path)"])
        case .renamedBack(_, let from, let to):
            logger.warning(
                "A file was put back under another name, because a new file has its own",
                metadata: ["path": "\(from)", "new.path": "\(to)"])
        case .quarantined(_, let path, let trouble):
            logger.warning("Quarantined: \(trouble.words)", metadata: ["path": "\(path)"])
        case .keyTaken(_, let path, let conflict):
            logger.warning("The key is taken: \(conflict.words)", metadata: ["path": "\(path)"])
        case .shed(_, let path, let size):
            logger.warning(
                "An unproven file was deleted, because the disk is full",
                metadata: ["path": "\(path)", "bytes": "\(size)"])
        case .gateClosed(let cause): logger.warning("Nothing is sent now: \(cause.words)")
        case .spaceLow(let id):
            logger.warning("The disk is nearly full", metadata: ["folder": "\(folders[id]?.settings.name ?? "")"])
        case .spaceEnough(let id):
            logger.notice(
                "The disk has enough space again", metadata: ["folder": "\(folders[id]?.settings.name ?? "")"])
        }
    }
}
