import Logging
import SystemSupport
import TransferCommon

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The unfinished uploads of a store. Each has a folder with the upload's description and its parts.
struct UploadFolders: Sendable {
    let layout: FileStoreLayout
    let files: FileSystem
    let instance: FileStoreInstance
    let presence: StorePresence
    let folders: KeyFolders
    let logger: Logger

    /// Makes the folder of a new upload with its description, in one atomic and durable step. Returns the upload's id.
    func create(of key: FileStoreKey, metadata: ObjectMetadata) throws -> String {
        _ = try folders.check(key)
        let id = FileStoreLayout.makeUploadID(for: key)
        let staged = instance.makeStagingPath()
        try files.makeStoreFolder(staged)
        do {
            let description = UploadDescription(key: key.text, metadata: EncodedMetadata(metadata))
            let file = try files.createStoreFile("\(staged)/description")
            try file.write(encodedJSON(description), at: 0)
            try file.sync()
            try files.syncFolder(staged)
            try files.rename(staged, to: layout.upload(id))
        } catch {
            removeStaged(staged)
            throw error
        }
        try files.syncFolder(layout.uploads)
        return id
    }

    /// Returns the metadata with which an unfinished upload was created.
    ///
    /// - Throws: `.uploadUnknown` if there is no such upload, or if it has become an object and a crash has left its
    ///   folder behind; `.completionInProgress` if a gateway is completing the upload now.
    func open(_ id: String, of key: FileStoreKey) throws -> ObjectMetadata {
        let metadata = try description(of: id, of: key)
        if try files.status(layout.completing(of: id)) != nil {
            guard let lock = try lock(id) else { throw StoreError(.completionInProgress) }
            try withExtendedLifetime(lock) {
                if try isPublished(id, of: key) { throw StoreError(.uploadUnknown) }
            }
        }
        return metadata
    }

    /// Reads the file `description`. Does not check whether a completion is in progress.
    func description(of id: String, of key: FileStoreKey) throws -> ObjectMetadata {
        guard FileStoreLayout.isUploadID(id, of: key) else { throw StoreError(.uploadUnknown) }
        let bytes: [UInt8]
        do {
            bytes = try files.open(layout.description(of: id)).read(FileStoreLayout.descriptionBytesMax, at: 0)
        } catch {
            guard error.code == ENOENT else { throw error }
            try presence.confirm()
            throw StoreError(.uploadUnknown, cause: error)
        }
        guard let description: UploadDescription = decodedJSON(bytes),
            description.version == UploadDescription.currentVersion, let metadata = description.metadata.metadata
        else { throw StoreError(.damaged, "The description of an upload cannot be read.") }
        guard description.key.hasSameBytes(as: key.text) else { throw StoreError(.uploadUnknown) }
        return metadata
    }

    /// Locks an upload against completion and abort by others, until the returned file closes.
    ///
    /// - Returns: `nil` if another holder has the lock.
    /// - Throws: `.uploadUnknown` if the folder is gone.
    func lock(_ id: String) throws -> OpenFile? {
        do {
            var folder = try files.openFolder(layout.upload(id))
            guard try folder.lock() else { return nil }
            // The process that held the lock before may have removed the folder. The lock then belongs to a folder
            // without a name.
            guard let named = try files.status(layout.upload(id)), named.isSameFile(as: try folder.status()) else {
                throw StoreError(.uploadUnknown)
            }
            return folder
        } catch let error as FileError where error.code == ENOENT {
            try presence.confirm()
            throw StoreError(.uploadUnknown, cause: error)
        }
    }

    /// Whether a locked upload has already become the object, so that its folder is only what a crash has left behind.
    ///
    /// The file `completing` becomes durable before the file `joined` becomes the object. An undone completion removes
    /// `completing` before `joined`. So `completing` without `joined` means that the upload has become the object. If
    /// `joined` was linked to the object's name, `joined` may still exist: then the object's file is compared with it.
    func isPublished(_ id: String, of key: FileStoreKey) throws -> Bool {
        guard try files.status(layout.completing(of: id)) != nil else { return false }
        guard let joined = try files.status(layout.joined(of: id)) else { return true }
        guard let parent = try folders.openParent(of: key) else { return false }
        return try parent.status(of: key.name)?.isSameFile(as: joined) ?? false
    }

    /// Removes a locked upload. Moves its folder to staging by one rename, which is made durable, and then removes the
    /// files.
    func remove(_ id: String) throws {
        let staged = instance.makeStagingPath()
        do {
            try files.rename(layout.upload(id), to: staged)
        } catch {
            guard error.code == ENOENT else { throw error }
            try presence.confirm()
            throw StoreError(.uploadUnknown, cause: error)
        }
        let synced = Result { try files.syncFolder(layout.uploads) }
        removeStaged(staged)
        try synced.get()
    }

    /// Aborts an upload durably.
    func abort(_ id: String, of key: FileStoreKey) throws {
        _ = try description(of: id, of: key)
        guard let lock = try lock(id) else { throw StoreError(.completionInProgress) }
        try withExtendedLifetime(lock) {
            let isPublished = try isPublished(id, of: key)
            try remove(id)
            if isPublished { throw StoreError(.uploadUnknown) }
        }
    }

    /// The unfinished uploads of a key, the oldest first.
    func list(of key: FileStoreKey) throws -> [UploadSummary] {
        var ids: [String] = []
        try files.list(layout.uploads) { name in
            if FileStoreLayout.isUploadID(name, of: key) { ids.append(name) }
            return true
        }
        var found: [UploadSummary] = []
        for id in ids {
            do {
                let metadata = try open(id, of: key)
                guard let status = try files.status(layout.description(of: id)) else { continue }
                found.append(UploadSummary(upload: id, created: status.modified, session: metadata.session))
            } catch let error as StoreError where error.reason == .uploadUnknown {
                continue  // Removed since the listing, or already an object, with only the folder left.
            } catch let error as StoreError where error.reason == .completionInProgress || error.reason == .damaged {
                logger.debug("Passed over an upload", metadata: ["store.error": "\(error.shortDescription)"])
            }
        }
        return found.sorted(by: UploadSummary.isOlder)
    }

    /// One page of an upload's parts, all of them durable. The page begins behind the part `after`.
    func parts(of id: String, after: PartNumber?, countMax: Int) throws -> PartPage {
        var numbers: [PartNumber] = []
        do {
            // Another gateway may have given a part its name and ended before it synced the folder.
            try files.syncFolder(layout.upload(id))
            try files.list(layout.upload(id)) { name in
                if let number = FileStoreLayout.partNumber(ofFile: name), after.map({ number > $0 }) ?? true {
                    numbers.append(number)
                }
                return true
            }
        } catch let error as FileError where error.code == ENOENT {
            try presence.confirm()
            throw StoreError(.uploadUnknown, cause: error)
        }
        numbers.sort()
        let page = numbers.prefix(countMax)
        return PartPage(
            parts: try page.compactMap { try part($0, of: id)?.listed },
            next: page.count < numbers.count ? page.last : nil)
    }

    /// Opens a part and reads its footer. Returns `nil` if the part is missing or damaged.
    func part(_ number: PartNumber, of id: String) throws -> StoredPart? {
        let file: OpenFile
        do {
            file = try files.open(layout.part(number, of: id))
        } catch {
            guard error.code == ENOENT else { throw error }
            return nil
        }
        let status = try file.status()
        let footerBytes = UInt64(PartFooter.byteCount)
        let bytes = try file.read(PartFooter.byteCount, at: status.size - min(status.size, footerBytes))
        guard let footer = PartFooter(bytes, fileSize: status.size) else {
            // Report the part as missing. The agent then sends it again.
            logger.warning("A stored part is damaged", metadata: ["part.number": "\(number)"])
            return nil
        }
        let listed = ListedPart(
            number: number, size: footer.size, etag: HashedContent.partETag(footer.digest),
            digest: footer.digest, modified: status.modified)
        return StoredPart(listed: listed, file: file)
    }

    /// Moves a finished file into an upload's folder as a part. Replaces an earlier file of the same part.
    func place(_ file: FinishedFile, as number: PartNumber, of id: String) throws {
        do {
            try files.rename(file.path, to: layout.part(number, of: id))
            try files.syncFolder(layout.upload(id))
        } catch {
            guard error.code == ENOENT else { throw error }
            try presence.confirm()
            throw StoreError(.uploadUnknown, cause: error)
        }
    }

    /// Removes the joined files of interrupted completions, and the folders of uploads that have become objects. Called
    /// when a store opens. An upload that a running gateway is completing is locked, and so it is skipped.
    func removeInterruptedCompletions() throws {
        var ids: [String] = []
        try files.list(layout.uploads) { name in
            ids.append(name)
            return true
        }
        for id in ids {
            // Skip an upload if no completion of it was interrupted, if it is gone, or if it is damaged. Later calls
            // report that it is damaged.
            guard try files.status(layout.joined(of: id)) != nil || files.status(layout.completing(of: id)) != nil,
                // try?: the upload is skipped if the file cannot be read.
                let bytes = try? files.open(layout.description(of: id))
                    .read(FileStoreLayout.descriptionBytesMax, at: 0),
                let description: UploadDescription = decodedJSON(bytes),
                // try?: the upload is skipped if the key is not valid.
                let key = try? FileStoreKey(ObjectKey(validating: description.key), bytesMax: layout.keyBytesMax)
            else { continue }
            do {
                guard let lock = try lock(id) else { continue }
                try withExtendedLifetime(lock) { try undoCompletion(of: id, of: key) }
            } catch let error as StoreError where error.reason == .uploadUnknown {
                continue
            }
        }
    }

    /// Undoes an interrupted completion of a locked upload.
    ///
    /// - Throws: `.uploadUnknown` if the upload has become the object; its folder is then removed.
    func undoCompletion(of id: String, of key: FileStoreKey) throws {
        if try isPublished(id, of: key) {
            try folders.syncParent(of: key)
            try remove(id)
            throw StoreError(.uploadUnknown)
        }
        if try files.status(layout.completing(of: id)) != nil {
            try files.removeFile(layout.completing(of: id))
            try files.syncFolder(layout.upload(id))
        }
        if try files.status(layout.joined(of: id)) != nil {
            try files.removeFile(layout.joined(of: id))
        }
    }

    /// If the removal fails, a later gateway removes the file or folder.
    private func removeStaged(_ path: String) {
        do {
            try files.removeTree(path)
        } catch let error as FileError where error.code == ENOTDIR {
            files.discard(path, logger)
        } catch {
            logger.warning(
                "Could not remove a folder from staging; the next gateway that starts removes it",
                metadata: ["error": "\(StoreError.sentence(of: error))"])
        }
    }
}

/// An open part of an upload. Replacing the part does not affect the open file.
struct StoredPart: ~Copyable {
    let listed: ListedPart
    let file: OpenFile
}
