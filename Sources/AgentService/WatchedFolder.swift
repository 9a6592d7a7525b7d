import AgentKit
import FolderCore
import SystemSupport
import TransferCommon
import TransferCore

/// A folder of the settings, with its files and what every object of it has in common.
struct WatchedFolder: Sendable {
    let id: FolderID
    let settings: FolderSettings
    let files: FolderFiles
    let metadata: SessionMetadata
    let wantsReceipts: Bool

    /// Makes the folders of the settings, in their order.
    ///
    /// - Throws: `ControlRefusal` if the settings do not fit this machine; it names the folder.
    static func all(of settings: AgentSettings, home: AgentHome) throws(ControlRefusal) -> [WatchedFolder] {
        let clock = FileClock(path: home.clockPath)
        var folders: [WatchedFolder] = []
        for (index, folder) in settings.folders.enumerated() {
            do throws(UploadFailure) {
                let names = FolderNames(filter: folder.filter, needsMarkers: folder.markerSuffix != nil)
                let files = try FolderFiles(
                    root: folder.path, movedTo: folder.after == .move ? folder.moveTo : nil, names: names,
                    home: home.path, clock: clock)
                folders.append(
                    WatchedFolder(
                        id: FolderID(UInt32(index)), settings: folder, files: files,
                        metadata: try folder.objectMetadata(contentType: settings.contentType),
                        wantsReceipts: folder.receipts ?? settings.receipts))
            } catch {
                throw ControlRefusal("folder \(folder.name): \(error.cause)")
            }
        }
        return folders
    }
}
