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

// MARK: - Finding folders and items

extension [WatchedFolder] {
    /// The folder of this id, which is its position; `nil` if there is none.
    subscript(id: FolderID) -> WatchedFolder? { id.number < count ? self[Int(id.number)] : nil }

    /// The folder of this name; all for `nil`.
    func named(_ name: String?) throws(ControlRefusal) -> [WatchedFolder] {
        guard let name else { return self }
        guard let folder = first(where: { $0.settings.name.hasSameBytes(as: name) }) else {
            let known = map(\.settings.name).joined(separator: ", ")
            throw ControlRefusal("there is no folder \(name.withVisibleControls); the settings name \(known)")
        }
        return [folder]
    }

    /// The item that `WatchedFolder.text(of:)` names so.
    func item(named text: String, _ machine: Folders) throws(ControlRefusal) -> ItemID {
        let bytes = [UInt8](text.utf8)
        guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")), let stop = bytes.lastIndex(of: UInt8(ascii: ".")),
            colon < stop, let place = UInt32(String(decoding: bytes[(colon + 1)..<stop], as: UTF8.self)),
            let generation = UInt32(String(decoding: bytes[(stop + 1)...], as: UTF8.self)),
            case let id = ItemID(place: place, generation: generation), let item = machine.item(id),
            contains(where: { $0.id == item.folder && $0.settings.name.utf8.elementsEqual(bytes[..<colon]) })
        else {
            throw ControlRefusal("no file has the id \(text.withVisibleControls); sluice-agent status lists the ids")
        }
        return id
    }
}
