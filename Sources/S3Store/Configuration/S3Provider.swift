import ObjectStore
package import TransferCommon
import WireProtocol

/// The known properties of one S3 implementation or service. All differences between stores are values in this table,
/// so the other code does not ask which store it uses.
///
/// `S3Store.open` probes some of these properties and replaces their values by the observed ones.
package struct S3Provider: Hashable, Sendable {
    /// What a store does with a condition such as `If-None-Match: *`.
    package enum Condition: Hashable, Sendable {
        case honoured
        /// The store accepts the header and ignores the condition.
        case ignored
        /// The store refuses requests with the header, so the client does not send it.
        case refused
    }

    /// What a store does with each of the two conditions in one kind of request: in PutObject, or in
    /// CompleteMultipartUpload.
    package struct Conditions: Hashable, Sendable {
        /// What the store does with `If-None-Match: *`.
        package var ifAbsent: Condition
        /// What the store does with `If-Match` and an ETag.
        package var ifMatch: Condition

        package init(ifAbsent: Condition, ifMatch: Condition) {
            self.ifAbsent = ifAbsent
            self.ifMatch = ifMatch
        }

        package static let honoured = Conditions(ifAbsent: .honoured, ifMatch: .honoured)
        package static let ignored = Conditions(ifAbsent: .ignored, ifMatch: .ignored)
        package static let refused = Conditions(ifAbsent: .refused, ifMatch: .refused)

        /// What the gateway assumes if the store did not answer the probe's questions about conditions. The gateway
        /// sends a condition only if this kind of store is known to honour it, and even then does not rely on the
        /// store's check.
        var unconfirmed: Conditions {
            func unconfirmed(_ known: Condition) -> Condition { known == .honoured ? .ignored : .refused }
            return Conditions(ifAbsent: unconfirmed(ifAbsent), ifMatch: unconfirmed(ifMatch))
        }

        /// The header that expresses a condition. `nil` if there is no condition, or if the store refuses requests with
        /// this header.
        func header(_ condition: PutCondition) -> (name: String, value: String)? {
            switch condition {
            case .none: nil
            case .ifAbsent: ifAbsent == .refused ? nil : ("if-none-match", "*")
            case .ifMatch(let etag): ifMatch == .refused ? nil : ("if-match", etag)
            }
        }

        var checked: CheckedConditions.Request {
            CheckedConditions.Request(ifAbsent: ifAbsent == .honoured, ifMatch: ifMatch == .honoured)
        }
    }

    /// The provider's name, one word, as operators write it on the command line.
    package var name: String
    /// Endpoint hosts with one of these suffixes belong to this provider.
    package var hostSuffixes: [String] = []
    /// The region for signatures if the settings name none.
    package var defaultRegion = "us-east-1"
    package var addressing = S3Addressing.path

    package var partBytesMin: UInt64 = 5 << 20
    package var partBytesMax: UInt64 = 5 << 30
    /// Default part size in bytes.
    package var partBytesAdvised: UInt64 = 8 << 20
    package var partsMax: UInt32 = 10_000
    package var objectBytesMax: UInt64 = 5 << 40
    /// Whether all parts but the last must have the same size. Sluice's parts always have the same size, so no code
    /// reads this field. It is information for readers of the table.
    package var wantsEqualParts = false
    package var completionTimeMax = Duration.seconds(300)
    /// Time after which the store by default removes an unfinished upload; `nil` if it removes none.
    package var uploadExpiry: Duration?

    /// Whether the store refuses a body that differs from `x-amz-content-sha256`.
    package var checksContentSHA256 = false
    /// Whether the store checks and keeps each part's SHA-256 (`x-amz-checksum-sha256`) and returns the SHA-256 over
    /// the part digests for the object.
    package var keepsSHA256 = false
    /// The form in which PutObject carries the digest of its body.
    package var putChecksum = S3Checksum.none
    /// The form in which UploadPart carries the digest of its body.
    package var partChecksum = S3Checksum.none
    /// Whether the store, when it completes an upload, compares the object's size with `x-amz-mp-object-size` and
    /// refuses a difference.
    package var checksObjectSize = false
    /// Whether the store keeps an object's `x-amz-meta-…` headers and returns them.
    package var keepsMetadata = false
    /// Whether the store answers a part with an ETag that is the part's MD5.
    package var tellsPartMD5 = false
    /// Whether a multipart object's ETag is the MD5 of its parts' MD5s, for as long as the object exists.
    package var keepsCompositeMD5 = false
    /// Whether the store answers 403 to HEAD and GET of a key without an object. S3 does so if the gateway may not list
    /// the bucket.
    package var hidesAbsentKeys = false
    /// Whether the bucket keeps versions, and the gateway may list and delete the versions of its own objects.
    package var deletesVersions = false
    /// Whether DeleteObject honours `If-Match`.
    package var checksDeleteCondition = false
    package var putConditions = Conditions.ignored
    package var completeConditions = Conditions.ignored

    package init(name: String) {
        self.name = name
    }
}

/// Where a request names the bucket.
package enum S3Addressing: String, CaseIterable, Hashable, Sendable {
    /// The bucket is named in the path: `https://host/bucket/key`.
    case path
    /// The bucket is named in the host name: `https://bucket.host/key`.
    case virtual
}

extension S3Provider {
    /// A store of unknown kind.
    package static let generic = S3Provider(name: "generic")

    package static let aws = S3Provider(name: "aws") {
        $0.hostSuffixes = [".amazonaws.com", ".amazonaws.com.cn"]
        $0.addressing = .virtual
        // AWS states the limit as "50 TB" since December 2025. This is 10,000 parts of 5 GiB.
        $0.objectBytesMax = 10_000 * (5 << 30)
        $0.completionTimeMax = .seconds(600)
        $0.checksContentSHA256 = true
        $0.keepsSHA256 = true
        $0.putChecksum = .sha256
        $0.partChecksum = .sha256
        $0.checksObjectSize = true
        $0.keepsMetadata = true
        $0.keepsCompositeMD5 = true
        $0.putConditions = .honoured
        $0.completeConditions = .honoured
    }

    package static let minio = S3Provider(name: "minio") {
        $0.uploadExpiry = .seconds(86_400)
        $0.checksContentSHA256 = true
        $0.keepsMetadata = true
        $0.keepsCompositeMD5 = true
        $0.putConditions = .honoured
        $0.completeConditions = .honoured
    }

    /// Ceph's RADOS gateway.
    package static let ceph = S3Provider(name: "ceph") {
        $0.checksContentSHA256 = true
        $0.keepsMetadata = true
        $0.keepsCompositeMD5 = true
        $0.putConditions = .honoured
    }

    /// JuiceFS without the options `--keep-etag` and `--object-meta`. With them it has further properties, which the
    /// probe finds.
    package static let juicefs = S3Provider(name: "juicefs") {
        // JuiceFS removes an upload only after the object exists, so the gateway never has to wait for an object whose
        // upload is gone.
        $0.completionTimeMax = .zero
        $0.checksContentSHA256 = true
    }

    package static let r2 = S3Provider(name: "r2") {
        $0.hostSuffixes = [".r2.cloudflarestorage.com"]
        $0.defaultRegion = "auto"
        $0.wantsEqualParts = true
        $0.uploadExpiry = .seconds(7 * 86_400)
    }

    /// Google Cloud Storage's XML interface.
    package static let gcs = S3Provider(name: "gcs") {
        $0.hostSuffixes = ["storage.googleapis.com"]
        $0.defaultRegion = "auto"
        $0.completeConditions = .refused
    }

    package static let b2 = S3Provider(name: "b2") {
        $0.hostSuffixes = [".backblazeb2.com"]
        $0.partBytesMin = 5_000_000
    }

    package static let scaleway = S3Provider(name: "scaleway") {
        $0.hostSuffixes = [".scw.cloud"]
        $0.partsMax = 1000
    }

    /// OpenStack Swift's S3 interface. Its usual limit is 1,000 parts; an operator of Swift can set another.
    package static let swift = S3Provider(name: "swift") {
        $0.partsMax = 1000
    }

    package static let storj = S3Provider(name: "storj") {
        $0.hostSuffixes = [".storjshare.io"]
        // In this store smaller parts make an object more expensive to keep and to read.
        $0.partBytesAdvised = 64 << 20
    }

    /// All known providers, `generic` first.
    package static let all = [generic, aws, minio, ceph, juicefs, r2, gcs, b2, scaleway, swift, storj]

    /// The provider with this lower-case name; `nil` if there is none.
    package static func named(_ name: String) -> S3Provider? {
        all.first { $0.name == name }
    }

    /// The provider to which a host name belongs by its suffix; `generic` if it belongs to none.
    package static func of(host: String) -> S3Provider {
        let host = host.lowercased()
        return all.first { $0.hostSuffixes.contains { host.hasSuffix($0) } } ?? generic
    }

    private init(name: String, _ describe: (inout S3Provider) -> Void) {
        self.init(name: name)
        describe(&self)
    }
}

extension S3Provider {
    /// The reason why this kind of store must not be used at an endpoint; `nil` if it may be used. Bytes that are
    /// altered on the way to the store must be noticed. For that, the store checks the digest, or it returns the MD5 of
    /// the bytes that it received, or the connection protects the bytes. A store without any of these must not be used.
    package func objection(to endpoint: S3Endpoint) -> StoreError? {
        guard !checksContentSHA256, !tellsPartMD5, !endpoint.isProtected else { return nil }
        let sentence =
            "This store does not check that bytes arrive unchanged, so its endpoint must begin with https://."
        return StoreError(.unsupported, sentence)
    }
}
