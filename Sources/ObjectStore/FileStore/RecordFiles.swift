import Logging
import SystemSupport
import TransferCommon

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The session records of a store, one file for each record.
struct RecordFiles: Sendable {
    let layout: FileStoreLayout
    let files: FileSystem
    let instance: FileStoreInstance
    let presence: StorePresence
    let logger: Logger

    /// Writes a record to a file in staging, syncs it, and renames it to the record's name.
    func write(_ name: String, _ bytes: [UInt8]) throws {
        let path = instance.makeStagingPath()
        do {
            let file = try files.createStoreFile(path)
            try file.write(bytes, at: 0)
            try file.sync()
            try files.rename(path, to: layout.record(name))
        } catch {
            files.discard(path, logger)
            throw error
        }
        try files.syncFolder(layout.sessions)
    }

    /// Reads a record; `nil` if there is none. Throws `.damaged` if the file with that name cannot be a record.
    func read(_ name: String, bytesMax: Int) throws -> StoredRecord? {
        do {
            let file = try files.open(layout.record(name))
            let status = try file.status()
            guard status.kind == .file, status.size <= UInt64(bytesMax) else {
                throw StoreError(.damaged, "A record is larger than the maximum.")
            }
            return StoredRecord(bytes: try file.read(bytesMax, at: 0), modified: status.modified)
        } catch let error as FileError where error.code == ENOENT {
            try presence.confirm()
            return nil
        }
    }

    /// Removes a record durably. If another gateway has removed the record already, makes that earlier removal durable.
    func remove(_ name: String) throws {
        do {
            try files.removeFile(layout.record(name))
        } catch {
            guard error.code == ENOENT else { throw error }
            try presence.confirm()
        }
        try files.syncFolder(layout.sessions)
    }

    /// One page of record names, beginning behind the name `after`. Lists the whole folder for each page, which is
    /// acceptable because the folder has only one record per unfinished session.
    func names(prefix: String, after: String?, countMax: Int) throws -> RecordNamePage {
        var names: [String] = []
        try files.list(layout.sessions) { name in
            let isAfter = after.map { $0.utf8.lexicographicallyPrecedes(name.utf8) } ?? true
            if isAfter, name.utf8.starts(with: prefix.utf8), SessionRecord.isName(name) { names.append(name) }
            return true
        }
        names.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let page = names.prefix(countMax)
        let records = try page.compactMap { name -> ListedRecord? in
            // Another gateway may have removed the record since the listing.
            guard let status = try files.status(layout.record(name)) else { return nil }
            return ListedRecord(name: name, modified: status.modified, size: status.size)
        }
        return RecordNamePage(records: records, next: page.count < names.count ? page.last : nil)
    }
}
