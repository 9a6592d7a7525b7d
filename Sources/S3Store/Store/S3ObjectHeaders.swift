import FoundationEssentials
import NIOHTTP1
import TransferCommon

/// The headers that describe an object in an answer, and those that a request sends to describe one.
struct S3ObjectHeaders {
    let headers: HTTPHeaders

    /// The object's summary.
    ///
    /// - Parameter provider: the properties of the store, which say which headers are reliable.
    func summary(from provider: S3Provider) throws(StoreError) -> ObjectSummary {
        guard let size = headers.value("content-length").flatMap({ UInt64($0) }) else {
            throw StoreError(.damaged, "The store does not report an object's size.")
        }
        let metadata = self.metadata
        let checked = checkedEvidence(size: size, metadata, provider)
        let evidence = checked?.evidence ?? toldEvidence(metadata, provider)
        return ObjectSummary(
            size: size, partBytes: evidence.dependsOnPartBytes ? metadata?.partBytes ?? 0 : 0, evidence: evidence,
            etag: headers.value("etag") ?? "", version: version, metadata: metadata,
            isVerified: checked?.isVerified ?? false)
    }

    /// The evidence with a SHA-256 that the store itself has checked; `nil` if the store keeps none.
    ///
    /// - Returns: the evidence, and whether it is verified. The part size of a root digest comes from metadata that
    ///   another writer may have set wrongly. So the digest counts as verified only if the object's size and that part
    ///   size give the number of parts that the store itself counted.
    private func checkedEvidence(
        size: UInt64, _ metadata: ObjectMetadata?, _ provider: S3Provider
    ) -> (evidence: ContentEvidence, isVerified: Bool)? {
        guard provider.keepsSHA256, let checksum = headers.value("x-amz-checksum-sha256") else { return nil }
        if let (root, count) = S3Digests.compositeSHA256(checksum), let metadata {
            let plan = PartPlan(fileBytes: size, partBytes: metadata.partBytes)
            return (.root(root), isVerified: plan?.partCount == count)
        }
        guard let digest = S3Digests.sha256(base64: checksum), headers.value("x-amz-checksum-type") != "COMPOSITE"
        else {
            return nil
        }
        return (.wholeDigest(digest), isVerified: true)
    }

    /// The strongest unchecked evidence, from headers that this store is known to report correctly.
    private func toldEvidence(_ metadata: ObjectMetadata?, _ provider: S3Provider) -> ContentEvidence {
        guard let metadata else { return .none }
        if let digest = metadata.partDigest { return .wholeDigest(digest) }
        if provider.keepsCompositeMD5, mayHaveMD5,
            headers.value("x-amz-server-side-encryption-customer-algorithm") == nil,
            let (etag, _) = headers.value("etag").flatMap({ S3Digests.compositeMD5(etag: $0) })
        {
            return .compositeMD5(etag)
        }
        return .none
    }

    /// Whether the ETag can be an MD5. If the store encrypts the object with a managed key (any value but AES256), the
    /// ETag looks the same but is not an MD5.
    var mayHaveMD5: Bool {
        let encryption = headers.value("x-amz-server-side-encryption")
        return encryption == nil || encryption == "AES256"
    }

    /// The metadata that gateways write. The user's metadata is left out, because only readers of the object need it.
    var metadata: ObjectMetadata? {
        guard let session = headers.value("x-amz-meta-sluice-session").flatMap({ SessionID($0) }),
            let partBytes = headers.value("x-amz-meta-sluice-part-bytes").flatMap({ UInt64($0) }),
            let time = headers.value("x-amz-meta-sluice-modified").flatMap({ Self.modificationTime($0) })
        else { return nil }
        return ObjectMetadata(
            session: session, partBytes: partBytes, modification: time,
            partDigest: headers.value("x-amz-meta-sluice-part-digest").flatMap { SHA256Digest($0) })
    }

    private static func modificationTime(_ text: String) -> ModificationTime? {
        let halves = text.split(separator: "s", maxSplits: 1)
        guard halves.count == 2, halves[1].hasSuffix("ns"), let seconds = Int64(halves[0]),
            let nanoseconds = UInt32(halves[1].dropLast(2)), nanoseconds < 1_000_000_000
        else { return nil }
        return ModificationTime(seconds: seconds, nanoseconds: nanoseconds)
    }

    /// The version id; empty if the bucket keeps no versions.
    var version: String {
        // While versioning is suspended, S3 gives every object the version id `null`, which identifies nothing.
        headers.value("x-amz-version-id").flatMap { $0 == "null" ? nil : $0 } ?? ""
    }

    // MARK: - Of a request

    static func fields(of metadata: ObjectMetadata) -> [(name: String, value: String)] {
        let time = metadata.modification
        var headers = [
            (name: "x-amz-meta-sluice-session", value: String(describing: metadata.session)),
            (name: "x-amz-meta-sluice-part-bytes", value: String(metadata.partBytes)),
            (name: "x-amz-meta-sluice-modified", value: "\(time.seconds)s\(time.nanoseconds)ns"),
        ]
        if let digest = metadata.partDigest {
            headers.append((name: "x-amz-meta-sluice-part-digest", value: String(describing: digest)))
        }
        let user = metadata.userMetadata
        if !user.contentType.isEmpty { headers.append((name: "content-type", value: user.contentType)) }
        headers += user.pairs.map { (name: "x-amz-meta-" + $0.name, value: $0.value) }
        return headers
    }

    /// The headers that carry a digest of the body.
    static func fields(
        of form: S3Checksum, digest: SHA256Digest, md5: MD5Digest?
    ) -> [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = []
        if form.isSHA256 { headers.append(checksum(digest)) }
        if form == .sha256Named { headers.append(("x-amz-sdk-checksum-algorithm", "SHA256")) }
        // An MD5 that the agent has sent costs nothing, so it goes to every store.
        if let md5 { headers.append(self.md5(md5)) }
        return headers
    }

    static func checksum(_ digest: SHA256Digest) -> (name: String, value: String) {
        ("x-amz-checksum-sha256", Data(digest.bytes).base64EncodedString())
    }

    static func md5(_ md5: MD5Digest) -> (name: String, value: String) {
        ("content-md5", Data(md5.bytes).base64EncodedString())
    }
}
