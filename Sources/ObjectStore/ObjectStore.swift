package import FoundationEssentials
package import TransferCommon
import WireProtocol

/// The destination of uploads: a directory or an S3 bucket.
///
/// The methods follow the requests of S3, because S3 cannot be changed; the store in a directory imitates them. The
/// conformance suite checks the following rules for every implementation:
///
/// - An object or a part appears completely or not at all. If a body fails, is too short or too long, has another
///   digest or is cancelled, the store keeps nothing of it.
/// - A returned ETag, stored object, listing or summary describes data that survives a power cut.
/// - Keys, upload ids and record names are compared byte by byte. Texts that only Unicode treats as equivalent are
///   different.
/// - A store repeats failed requests itself where that is useful, except a request with a body whose bytes it cannot
///   get a second time. `StoreError.isRetryable` says whether a later attempt by the caller may succeed.
/// - If the calling task is cancelled, a call ends early with `.cancelled`. A call whose effect can no longer be
///   prevented continues as if the task had not been cancelled.
package protocol ObjectStore: Sendable {
    /// What this store accepts and which checks it makes. Does not change during the life of this value.
    var limits: StoreLimits { get }

    /// The store's identity: all gateways that use this store get the same identity, and no other store has it
    /// (specification §11.3). Does not change during the life of this value.
    var identity: StoreIdentity { get throws(StoreError) }

    /// The summary of the object under a key (HEAD), or `nil` if there is none.
    ///
    /// The store does not read the object's bytes to answer this.
    func object(key: ObjectKey) async throws(StoreError) -> ObjectSummary?

    /// Stores a complete object by one request. If the condition allows it, the object replaces an existing object
    /// under the key.
    ///
    /// - Parameters:
    ///   - metadata: the object's metadata. The store adds the body's digest as `partDigest`, which serves as evidence
    ///     of the object's content later.
    ///   - condition: what must be true of the key's present object. If it is not, the call throws `.objectGone`
    ///     when the condition names an object and the key has none, and `.keyTaken` otherwise.
    ///     `StoreLimits.conditions` says which conditions the store really checks.
    func putObject(
        key: ObjectKey, body: ObjectBody, metadata: ObjectMetadata, condition: PutCondition
    ) async throws(StoreError) -> StoredObject

    /// The bytes of an object together with the summary of exactly these bytes, or `nil` if there is no object.
    func readObject(key: ObjectKey) async throws(StoreError) -> ObjectReader?

    /// What the store has recorded of objects that gateways wrote under the key, although another program may have
    /// changed or replaced them since. Only an operator's look at a damaged object needs this.
    ///
    /// - Returns: an empty list if the store keeps such records only together with the object.
    func recordedContents(key: ObjectKey) async throws(StoreError) -> [RecordedContent]

    /// Begins a multipart upload. A key may have several uploads at a time.
    ///
    /// Throws `.outcomeUnknown` if the store may have begun an upload and the answer with its id was lost.
    /// - Parameter metadata: the metadata of the completed object. Its `partBytes` is the size of every part except the
    ///   last.
    /// - Returns: the upload id, which is opaque to the caller.
    func createUpload(key: ObjectKey, metadata: ObjectMetadata) async throws(StoreError) -> String

    /// Stores one part. Replaces an earlier part with the same number.
    ///
    /// - Returns: the part's ETag with its quotes, to be passed unchanged to `completeUpload`.
    func uploadPart(
        key: ObjectKey, upload: String, number: PartNumber, body: ObjectBody
    ) async throws(StoreError) -> String

    /// One page of an upload's parts, in the order of their numbers.
    ///
    /// - Parameter after: `PartPage.next` of the page before; `nil` for the first page.
    func listParts(key: ObjectKey, upload: String, after: PartNumber?) async throws(StoreError) -> PartPage

    /// Makes the object out of exactly the named parts. Afterwards the upload no longer exists.
    ///
    /// The caller distinguishes these errors. After `.partsInvalid` (parts are missing or differ),
    /// `.completionInProgress`, `.keyTaken`, `.objectGone` and `.conflict` the upload still exists. After
    /// `.uploadUnknown` the upload may have been completed already; the object's session id shows whether it was. After
    /// `.outcomeUnknown` the object may exist.
    /// - Parameters:
    ///   - parts: the parts, numbered from 1 without a gap. All except the last have the same size.
    ///   - size: size of the object in bytes. If the sizes of the parts have another sum, the call throws
    ///     `.sizeMismatch`.
    ///   - condition: as for `putObject`.
    func completeUpload(
        key: ObjectKey, upload: String, parts: [CompletedPart], size: UInt64, condition: PutCondition
    ) async throws(StoreError) -> StoredObject

    /// Aborts an upload and removes its parts. Parts that are being sent may arrive afterwards, so the caller repeats
    /// the call until the store lists no parts.
    func abortUpload(key: ObjectKey, upload: String) async throws(StoreError)

    /// The unfinished uploads of exactly this key, the oldest first.
    func uploads(key: ObjectKey) async throws(StoreError) -> [UploadSummary]

    /// Writes a small record that gateways keep in the store. Replaces a record with the same name.
    ///
    /// - Parameters:
    ///   - name: 1 to 200 characters of `a-z A-Z 0-9 . _ -`. The first must not be a full stop.
    ///   - bytes: at most `StoreLimits.recordBytesMax` bytes.
    func writeRecord(name: String, bytes: [UInt8]) async throws(StoreError)

    /// A record's bytes and modification time, or `nil` if there is no record.
    func readRecord(name: String) async throws(StoreError) -> StoredRecord?

    /// Removes a record. A missing record is no error, so two gateways may remove the same one.
    func deleteRecord(name: String) async throws(StoreError)

    /// One page of the record names that begin with `prefix`, in the order of their bytes, with what the store lists of
    /// each record.
    ///
    /// - Parameter after: `RecordNamePage.next` of the page before; `nil` for the first page.
    func recordNames(prefix: String, after: String?) async throws(StoreError) -> RecordNamePage

    /// Removes the uploads and objects of interrupted store probes.
    ///
    /// - Parameter limit: a time by the store's clock. Uploads and objects that are younger stay, because they may
    ///   belong to a gateway that is starting.
    /// - Returns: the number of removed uploads and objects; 0 for a store that needs no probe.
    func removeProbes(before limit: Date) async throws(StoreError) -> Int

    /// The present time of the clock from which parts, uploads and records get their times. The age of an upload is
    /// computed with this clock, never with the clock of a gateway or device.
    ///
    /// - Returns: `nil` if the store does not report the time. No age is known then.
    func currentTime() async throws(StoreError) -> Date?
}

extension ObjectStore {
    package func removeProbes(before limit: Date) async throws(StoreError) -> Int { 0 }

    package func recordedContents(key: ObjectKey) async throws(StoreError) -> [RecordedContent] { [] }

    /// All parts of an upload, in the order of their numbers, read page by page.
    ///
    /// - Throws: `.damaged` if the pages do not advance or do not end. Otherwise a faulty server could block the
    ///   gateway or fill its memory.
    package func allParts(key: ObjectKey, upload: String) async throws(StoreError) -> [ListedPart] {
        var parts: [ListedPart] = []
        var after: PartNumber?
        repeat {
            let page = try await listParts(key: key, upload: upload, after: after)
            parts.append(contentsOf: page.parts)
            if let next = page.next, let previous = after, next <= previous {
                throw StoreError(.damaged, "The store's list of parts does not advance.")
            }
            guard parts.count <= Int(limits.partsMax) else {
                throw StoreError(.damaged, "The store lists more parts than it allows.")
            }
            after = page.next
        } while after != nil
        return parts
    }
}
