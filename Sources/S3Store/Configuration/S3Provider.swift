package import ObjectStore
import TransferCommon
import WireProtocol

/// What is known of a kind of store: data, so that a difference between stores is never a branch in the code.
///
/// What can be tried out is only a first guess here; `S3Store.open` replaces it by what the store was seen to do.
package struct S3Provider: Hashable, Sendable {
    /// How far a condition such as `If-None-Match: *` can be relied on.
    package enum Condition: Hashable, Sendable {
        case honoured
        /// The header does no harm and no good.
        case ignored
        /// The header makes the store refuse the request, so it is not sent.
        case refused
    }

    /// What becomes of the conditions on one kind of request.
    package struct Conditions: Hashable, Sendable {
        /// `If-None-Match: *`
        package var ifAbsent: Condition
        /// `If-Match` with an ETag
        package var ifMatch: Condition

        package init(ifAbsent: Condition, ifMatch: Condition) {
            self.ifAbsent = ifAbsent
            self.ifMatch = ifMatch
        }

        package static let honoured = Conditions(ifAbsent: .honoured, ifMatch: .honoured)
        package static let ignored = Conditions(ifAbsent: .ignored, ifMatch: .ignored)
        package static let refused = Conditions(ifAbsent: .refused, ifMatch: .refused)

        /// The header that asks for a condition; `nil` where there is none, or the store would refuse the request.
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

    /// One word, as an operator may give it.
    package var name: String
    /// Endpoint hosts that end so belong to it.
    package var hostSuffixes: [String] = []
    /// What it wants to be told where the operator names no region.
    package var defaultRegion = "us-east-1"
    package var addressing = S3Addressing.path

    package var partBytesMin: UInt64 = 5 << 20
    package var partBytesMax: UInt64 = 5 << 30
    /// Where nobody wishes for another size.
    package var partBytesAdvised: UInt64 = 8 << 20
    package var partsMax: UInt32 = 10_000
    package var objectBytesMax: UInt64 = 5 << 40
    /// All parts but the last must have one size. Sluice's always have; this is for those who read the table.
    package var wantsEqualParts = false
    package var completionTimeMax = Duration.seconds(300)
    /// After how long the store itself removes an unfinished upload; `nil` where it does not by itself.
    package var uploadExpiry: Duration?

    /// A body that differs from `x-amz-content-sha256` is refused.
    package var checksContentSHA256 = false
    /// Parts are kept with their SHA-256 (`x-amz-checksum-sha256`), checked, and the whole object's composite is told.
    package var keepsSHA256 = false
    /// `x-amz-mp-object-size` is compared when an upload is completed.
    package var checksObjectSize = false
    /// `x-amz-meta-…` headers come back.
    package var keepsMetadata = false
    /// The ETag that a part is answered with is its MD5.
    package var tellsPartMD5 = false
    /// A multipart object's ETag is the MD5 of its parts' MD5s, and stays.
    package var keepsCompositeMD5 = false
    package var putConditions = Conditions.ignored
    package var completeConditions = Conditions.ignored

    package init(name: String) {
        self.name = name
    }
}

/// How a bucket is named in a request.
package enum S3Addressing: String, CaseIterable, Hashable, Sendable {
    /// `https://host/bucket/key`
    case path
    /// `https://bucket.host/key`
    case virtual
}

extension S3Provider {
    /// A store that nothing is known of.
    package static let generic = S3Provider(name: "generic")

    package static let aws = S3Provider(name: "aws") {
        $0.hostSuffixes = [".amazonaws.com", ".amazonaws.com.cn"]
        $0.addressing = .virtual
        // Since December 2025; AWS's own "50 TB".
        $0.objectBytesMax = 10_000 * (5 << 30)
        $0.completionTimeMax = .seconds(600)
        $0.checksContentSHA256 = true
        $0.keepsSHA256 = true
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

    /// As started without `--keep-etag --object-meta`; with them more is found out by trying.
    package static let juicefs = S3Provider(name: "juicefs") {
        // It removes an upload only when its object is there.
        $0.completionTimeMax = .zero
        $0.checksContentSHA256 = true
    }

    package static let r2 = S3Provider(name: "r2") {
        $0.hostSuffixes = [".r2.cloudflarestorage.com"]
        $0.defaultRegion = "auto"
        $0.wantsEqualParts = true
        $0.uploadExpiry = .seconds(7 * 86_400)
    }

    /// Google's XML interface.
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

    package static let storj = S3Provider(name: "storj") {
        $0.hostSuffixes = [".storjshare.io"]
        // What lies in smaller pieces costs more to keep and to read.
        $0.partBytesAdvised = 64 << 20
    }

    /// All there are, `generic` first.
    package static let all = [generic, aws, minio, ceph, juicefs, r2, gcs, b2, scaleway, storj]

    /// The provider of this name, in lower case.
    package static func named(_ name: String) -> S3Provider? {
        all.first { $0.name == name }
    }

    /// The one whose hosts end as this one does, else `generic`.
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
    /// What is to be said against using the store there: it neither refuses bytes that are not those that were sent nor
    /// says what it has got, and nothing on the way keeps them from being changed.
    package func objection(to endpoint: S3Endpoint) -> StoreError? {
        guard !checksContentSHA256, !tellsPartMD5, !endpoint.isProtected else { return nil }
        let sentence =
            "This store does not tell whether bytes arrive as they were sent: its endpoint has to begin with https://."
        return StoreError(.unsupported, sentence)
    }
}
