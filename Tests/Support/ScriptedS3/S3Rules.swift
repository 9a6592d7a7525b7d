/// How one kind of store behaves, as far as it matters to a client: what it refuses, what it keeps, what it forgets.
/// From documents and from what servers were seen to do, never from the client's own table.
package struct S3Rules: Sendable, CustomStringConvertible {
    /// What becomes of `If-None-Match: *`.
    package enum Condition: Sendable {
        case honoured
        case ignored
        /// The header makes the request an error.
        case refused
    }

    /// What ETags are made of.
    package enum ETags: Sendable {
        /// MD5, of an object made of parts the MD5 of their MD5s.
        case md5
        /// MD5 for parts and small objects, and something of the store's own for objects made of parts.
        case md5OfPartsOnly
        /// Nothing that a client could compute.
        case opaque
    }

    /// The provider's name in the client's table.
    package var name: String
    package var partBytesMin = 5 << 20
    package var partsMax = 10_000
    /// All parts but the last have one size.
    package var wantsEqualParts = false
    /// Complete has to name every part that was uploaded.
    package var wantsAllParts = false
    /// A body that differs from `x-amz-content-sha256` is refused.
    package var checksContentSHA256 = true
    /// Keeps `x-amz-checksum-sha256` of parts, and the composite of objects whose upload declared it.
    package var keepsSHA256 = false
    /// `x-amz-checksum-…` headers are an error.
    package var refusesChecksumHeaders = false
    package var checksObjectSize = false
    package var keepsMetadata = true
    package var etags = ETags.md5
    /// HEAD and GET tell an ETag.
    package var tellsETags = true
    /// The answer to the first Complete has an ETag, and not an empty one.
    package var completeTellsETag = true
    /// ETags in lists stand without their quotes.
    package var listsBareETags = false
    /// A repeated Complete with the same list is answered like the first.
    package var remembersCompletions = false
    package var conditionalPut = Condition.ignored
    package var conditionalComplete = Condition.ignored
    /// Conditions of PutObject are looked at when the request begins, and not again when its body is there.
    package var looksAtConditionsFirst = false
    /// How many parts, uploads and keys a page has.
    package var pageCount = 1_000

    package var description: String { name }

    package init(name: String, _ change: (inout S3Rules) -> Void = { _ in }) {
        self.name = name
        change(&self)
    }
}

extension S3Rules {
    package static let aws = S3Rules(name: "aws") {
        $0.keepsSHA256 = true
        $0.checksObjectSize = true
        $0.remembersCompletions = true
        $0.conditionalPut = .honoured
        $0.conditionalComplete = .honoured
    }

    package static let minio = S3Rules(name: "minio") {
        $0.conditionalPut = .honoured
        $0.conditionalComplete = .honoured
    }

    package static let ceph = S3Rules(name: "ceph") {
        $0.wantsAllParts = true
        $0.completeTellsETag = false
        $0.remembersCompletions = true
        $0.conditionalPut = .honoured
    }

    package static let juicefs = S3Rules(name: "juicefs") {
        $0.keepsMetadata = false
        $0.tellsETags = false
    }

    package static let r2 = S3Rules(name: "r2") {
        $0.wantsEqualParts = true
        $0.conditionalPut = .honoured
    }

    package static let gcs = S3Rules(name: "gcs") {
        $0.checksContentSHA256 = false
        $0.etags = .md5OfPartsOnly
        $0.conditionalComplete = .refused
    }

    package static let b2 = S3Rules(name: "b2") {
        $0.partBytesMin = 5_000_000
        $0.refusesChecksumHeaders = true
    }

    package static let scaleway = S3Rules(name: "scaleway") {
        $0.partsMax = 1_000
    }

    package static let storj = S3Rules(name: "storj") {
        $0.etags = .md5OfPartsOnly
    }

    /// A store that checks nothing, keeps nothing and forgets what it has completed.
    package static let generic = S3Rules(name: "generic") {
        $0.checksContentSHA256 = false
        $0.keepsMetadata = false
        $0.etags = .opaque
    }

    /// Every kind, each under another name.
    package static let all = [aws, minio, ceph, juicefs, r2, gcs, b2, scaleway, storj, generic]
}
