import Cryptography
import FoundationEssentials
import Logging
import NIOCore
import ObjectStore
import TransferCommon

/// One run of the probe: small requests that show how a store behaves. `ProbeFindings` judges the answers.
struct StoreProbe {
    /// The bucket with the properties that are known so far.
    var bucket: S3Bucket {
        var bucket = table
        bucket.provider = findings.provider
        return bucket
    }

    /// The bucket with the properties of its provider, before the probe.
    private let table: S3Bucket
    let session: SessionID
    /// The whole key of the probe's object in the bucket.
    let key: String
    private let folder: S3Folder
    private(set) var findings: ProbeFindings
    let content = ByteBuffer(bytes: [0x2E])
    let digest: SHA256Digest
    let otherDigest: SHA256Digest
    /// `nil` if the cryptographic library has no MD5.
    private let md5: MD5Digest?
    /// The MD5 in a composite ETag of the probe's object; `nil` if the cryptographic library has no MD5.
    private let compositeMD5: MD5Digest?

    init(folder: S3Folder, session: SessionID) throws(CryptographyError) {
        self.table = folder.bucket
        self.folder = folder
        self.session = session
        self.key = folder.path + String(describing: session)
        self.findings = ProbeFindings(table: folder.bucket.provider)
        self.digest = try SHA256Digest.of(content.readableBytesView)
        self.otherDigest = try SHA256Digest.of([])
        self.md5 = S3Bucket.md5(of: content)
        self.compositeMD5 = md5.flatMap { S3Bucket.md5(of: ByteBuffer(bytes: $0.bytes)) }
    }

    var uploads: S3Uploads { S3Uploads(bucket: bucket) }
    var calls: ProbeCalls { ProbeCalls(retries: table.client.configuration.retries) }

    /// Sends the requests. Ends early if a step that uploads need is refused.
    ///
    /// - Throws: the error of a needed step if it is not a refusal, for example that the store is not available.
    mutating func run() async throws(StoreError) {
        try await tryUpload()
        try await tryOwnObjects()
        guard findings.objection == nil else { return }
        try await tryDigests()
        guard findings.objection == nil else { return }
        try await tryConditions()
    }

    // MARK: - An upload that is aborted

    private mutating func tryUpload() async throws(StoreError) {
        var upload: CreatedUpload?
        for form in S3Checksum.candidates(keepsSHA256: table.provider.keepsSHA256) {
            findings.provider.partChecksum = form
            // If the store refuses every form of the digest, the report contains the refusal of the first form. The
            // other forms are only alternatives.
            var new: CreatedUpload?
            if let error = try await calls.refusal(
                of: .createUpload,
                { () async throws(StoreError) in new = try await uploads.create(at: key, metadata: metadata) })
            {
                findings.refused[.createUpload] = findings.refused[.createUpload] ?? error
            }
            guard let created = new else { continue }
            if let error = try await calls.refusal(
                of: .uploadPart,
                { () async throws(StoreError) in _ = try await uploadPart(created.id, offering: digest) })
            {
                findings.refused[.uploadPart] = findings.refused[.uploadPart] ?? error
                await abort(created.id)
                continue
            }
            findings.refused[.createUpload] = nil
            findings.refused[.uploadPart] = nil
            upload = created
            break
        }
        guard let upload else { return }
        // A store that does not accept a SHA-256 keeps none, so no later request asks for one.
        if !findings.provider.partChecksum.isSHA256 { findings.provider.keepsSHA256 = false }
        noteRule(of: upload)
        try await tryHighestPart(upload.id)
        findings.refused[.listParts] = try await calls.refusal(of: .listParts) { () async throws(StoreError) in
            _ = try await uploads.parts(at: key, upload: upload.id, after: nil)
        }
        let aborted = try await calls.refusal(of: .abortUpload) { () async throws(StoreError) in
            try await uploads.abort(at: key, upload: upload.id)
        }
        // If the answer to the abort was lost, the abort is repeated, and the store then has no such upload. This error
        // is no refusal.
        findings.refused[.abortUpload] = aborted?.reason == .uploadUnknown ? nil : aborted
    }

    /// If the store refuses the highest number, tries lower numbers that stores are known to have as their limit.
    ///
    /// The part is too large to be sent in one piece. Some stores give a small part its MD5 as ETag, but not a part of
    /// this size. So the probe compares this part's ETag with the MD5.
    private mutating func tryHighestPart(_ upload: String) async throws(StoreError) {
        let highest = table.provider.partsMax
        let bytes = ByteBuffer(repeating: 0x2E, count: Self.largeBytes)
        let large: SHA256Digest
        do {
            large = try SHA256Digest.of(bytes.readableBytesView)
        } catch {
            throw StoreError.cryptographyFailed(error)
        }
        let largeMD5 = S3Bucket.md5(of: bytes)
        for limit in [highest, 1000, 100, 10] where limit <= highest {
            guard let number = PartNumber(limit) else { continue }
            let body = ObjectBody(buffers: [bytes], digest: large, md5: needsMD5 ? largeMD5 : nil)
            var etag: String?
            let error = try await calls.refusal(of: .uploadPart) { () async throws(StoreError) in
                var bucket = table
                bucket.provider = findings.provider
                bucket.provider.tellsPartMD5 = false
                etag = try await S3Uploads(bucket: bucket).uploadPart(
                    at: key, upload: upload, number: number, body: body, verifies: false)
            }
            if let error {
                findings.refused[.uploadPart] = findings.refused[.uploadPart] ?? error
                findings.refusedPartNumber = highest
                continue
            }
            findings.refused[.uploadPart] = nil
            findings.provider.partsMax = limit
            findings.provider.tellsPartMD5 = isMD5(etag, largeMD5)
            return
        }
    }

    private var needsMD5: Bool { findings.provider.partChecksum == .md5 }

    /// Larger than `BodyRequest.wholeBytesMax`.
    private static let largeBytes = 96 << 10

    private mutating func noteRule(of upload: CreatedUpload) {
        guard let abortDate = upload.abortDate, let now = upload.now else { return }
        let days = (abortDate.timeIntervalSince(now) / 86_400).rounded(.up)
        guard let count = Int(exactly: max(0, min(days, 36_500))) else { return }
        findings.uploadRule = .days(count)
    }

    // MARK: - Objects

    private mutating func tryOwnObjects() async throws(StoreError) {
        findings.refused[.listObjects] = try await calls.refusal(of: .listObjects) { () async throws(StoreError) in
            _ = try await folder.names(prefix: String(describing: session), after: nil)
        }
        try await tryPut()
        guard findings.refused[.putObject] == nil else { return }
        findings.refused[.headObject] = try await calls.refusal(of: .headObject) { () async throws(StoreError) in
            _ = try await bucket.head(at: key)
        }
        guard findings.refused[.headObject] == nil else { return }
        // HEAD has just found the probe's own object, so the gateway may read objects. A 403 for a key without an
        // object therefore means that the store hides absent keys.
        let missing = try await calls.refusal(of: .headObject) { () async throws(StoreError) in
            _ = try await bucket.head(at: "\(key)-absent")
        }
        if let missing {
            if missing.isForbidden {
                findings.provider.hidesAbsentKeys = true
            } else {
                findings.refused[.headObject] = missing
            }
        }
        let probe = self
        findings.refused[.listUploads] = try await answer(of: .listUploads, otherwise: nil) {
            () async throws(StoreError) in
            try await probe.calls.refusal(of: .listUploads) { () async throws(StoreError) in
                _ = try await probe.uploads.list(prefix: probe.key) { _ in .wanted }
            }
        }
    }

    /// The request has no condition. If the store accepts it and later refuses the same request with a condition, the
    /// condition is the reason.
    private mutating func tryPut() async throws(StoreError) {
        for form in S3Checksum.candidates(keepsSHA256: table.provider.keepsSHA256) {
            findings.provider.putChecksum = form
            var stored: StoredObject?
            let error = try await calls.refusal(of: .putObject) { () async throws(StoreError) in
                stored = try await put(.none)
            }
            guard let error else {
                findings.refused[.putObject] = nil
                findings.keepsVersions = stored?.version.isEmpty == false
                if let etag = stored?.etag, !etag.isEmpty, !isMD5(etag, md5) { findings.provider.tellsPartMD5 = false }
                return
            }
            findings.refused[.putObject] = findings.refused[.putObject] ?? error
        }
    }

    // MARK: - Digests

    private mutating func tryDigests() async throws(StoreError) {
        let tellsMD5 = findings.provider.tellsPartMD5
        findings.provider.tellsPartMD5 = false
        let probe = self
        let (isChecked, etag) = try await calls.repeating { () async throws(StoreError) in
            try await ProbeDigests(probe: probe).completeUpload()
        }
        findings.provider.checksContentSHA256 =
            try await answer(of: .wrongDigest, otherwise: false) { () async throws(StoreError) in try isChecked.get() }
        findings.provider.tellsPartMD5 = tellsMD5 && isMD5(etag, md5)
        let headers = try await calls.repeating { () async throws(StoreError) in try await probe.bucket.head(at: key) }
        guard let headers else {
            throw StoreError(.damaged, "The store completed an upload, but the object is missing.")
        }
        findings.provider.keepsMetadata = S3ObjectHeaders(headers: headers).metadata?.session == session
        findings.provider.keepsCompositeMD5 = isCompositeMD5(headers.value("etag"))
        findings.provider.keepsSHA256 =
            table.provider.keepsSHA256 && isCompositeSHA256(headers.value("x-amz-checksum-sha256"))
    }

    private func isMD5(_ etag: String?, _ md5: MD5Digest?) -> Bool {
        guard let etag, let md5 else { return false }
        return S3Digests.isMD5(etag, md5)
    }

    private func isCompositeMD5(_ etag: String?) -> Bool {
        guard let compositeMD5, let (etag, _) = etag.flatMap({ S3Digests.compositeMD5(etag: $0) }) else { return false }
        return etag == "\(compositeMD5)-1"
    }

    private func isCompositeSHA256(_ checksum: String?) -> Bool {
        guard let checksum, let (root, count) = S3Digests.compositeSHA256(checksum) else { return false }
        // try?: the library has just computed two digests, so a failure is unlikely. After a failure the store counts
        // as one that keeps no SHA-256.
        return count == 1 && root == (try? RootDigest.of([digest]))
    }

    // MARK: - Conditions

    private mutating func tryConditions() async throws(StoreError) {
        let conditions = ProbeConditions(probe: self)
        // A store may never answer a request with a condition. The gateway then sends conditions only to a provider
        // that is known to honour them, and does not rely on the store's check.
        let known = findings.provider
        findings.provider.completeConditions = try await answer(
            of: .completeCondition, otherwise: known.completeConditions.unconfirmed, conditions.ofCompletion)
        findings.provider.putConditions = try await answer(
            of: .putCondition, otherwise: known.putConditions.unconfirmed, conditions.ofPut)
        findings.provider.checksDeleteCondition =
            try await answer(of: .deleteCondition, otherwise: false, conditions.isHonouredByDeletion)
    }

    /// - Parameter otherwise: the answer to assume if the store does not answer.
    private mutating func answer<Value>(
        of step: ProbeFindings.Step, otherwise: Value, _ question: () async throws(StoreError) -> Value
    ) async throws(StoreError) -> Value {
        do {
            return try await question()
        } catch {
            guard error.leavesQuestionOpen else { throw error }
            findings.unanswered[step] = error
            return otherwise
        }
    }

    // MARK: - Requests

    var metadata: ObjectMetadata {
        ObjectMetadata(
            session: session, partBytes: table.provider.partBytesMin,
            modification: ModificationTime(seconds: 0, nanoseconds: 0))
    }

    func put(_ condition: PutCondition) async throws(StoreError) -> StoredObject {
        // The bucket must not compare the ETag with the MD5 here, because the caller of this method does.
        var bucket = bucket
        bucket.provider.tellsPartMD5 = false
        let body = ObjectBody(buffers: [content], digest: digest)
        return try await bucket.put(at: key, body: body, metadata: metadata, condition: condition)
    }

    /// Completes an upload of one part under a condition. Removes the upload if the store does not complete it.
    func upload(_ condition: PutCondition) async throws(StoreError) {
        let upload = try await uploads.create(at: key, metadata: metadata).id
        do throws(StoreError) {
            let part = try await uploadPart(upload, offering: digest)
            _ = try await complete(upload, part, condition)
        } catch {
            await abort(upload)
            throw error
        }
    }

    func uploadPart(_ upload: String, offering digest: SHA256Digest) async throws(StoreError) -> CompletedPart {
        guard let number = PartNumber(1) else { throw StoreError(.unsupported) }
        let body = ObjectBody(buffers: [content], digest: digest)
        let etag = try await uploads.uploadPart(at: key, upload: upload, number: number, body: body, verifies: false)
        return CompletedPart(number: number, size: UInt64(content.readableBytes), digest: digest, etag: etag)
    }

    func complete(
        _ upload: String, _ part: CompletedPart, _ condition: PutCondition
    ) async throws(StoreError) -> StoredObject {
        try await uploads.complete(
            at: key, upload: upload, parts: [part], size: part.size, condition: condition)
    }

    func abort(_ upload: String) async {
        do {
            try await uploads.abort(at: key, upload: upload)
        } catch {
            // `removeProbes` or the store's own rule for old uploads removes the upload later.
            table.logger.trace("A probe was not aborted", metadata: ["store.error": "\(error.shortDescription)"])
        }
    }
}
