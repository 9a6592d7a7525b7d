/// The properties of one kind of store that matter to a client: what it refuses, keeps and forgets. The values come
/// from documentation and from observed servers, not from the table of providers in `S3Store`, which they are used to
/// test.
package struct S3Rules: Sendable, CustomStringConvertible {
    /// What the store does with a condition such as `If-None-Match: *`.
    package enum Condition: Sendable {
        case honoured
        case ignored
        /// The store refuses requests with a condition.
        case refused
        /// The store answers a request that has a condition with an internal error.
        case failing
    }

    /// How the store computes ETags.
    package enum ETags: Sendable {
        /// MD5; for an object made of parts, the MD5 of the parts' MD5s.
        case md5
        /// MD5 for parts and small objects, and a value of the store's own for objects made of parts.
        case md5OfPartsOnly
        /// A value that no client can compute.
        case opaque
    }

    /// The provider's name in the client's table.
    package var name: String
    package var partBytesMin = 5 << 20
    package var partsMax = 10_000
    /// Whether all parts but the last must have the same size.
    package var wantsEqualParts = false
    /// Whether a completion must name every uploaded part.
    package var wantsAllParts = false
    /// Whether the store refuses a body that differs from `x-amz-content-sha256`.
    package var checksContentSHA256 = true
    /// Whether the store answers a body that differs from `x-amz-content-sha256` with an internal error instead of a
    /// refusal.
    package var failsOnWrongDigests = false
    /// Whether the store keeps `x-amz-checksum-sha256` of parts. If an upload declares the checksum, the store also
    /// keeps the composite checksum of the object.
    package var keepsSHA256 = false
    /// Whether the store refuses an object that has neither `Content-MD5` nor an `x-amz-checksum-…` header, as a bucket
    /// with a default retention does.
    package var wantsChecksum = false
    /// Whether the store refuses `x-amz-checksum-…` headers.
    package var refusesChecksumHeaders = false
    package var checksObjectSize = false
    package var keepsMetadata = true
    package var etags = ETags.md5
    /// Whether HEAD and GET return an ETag.
    package var tellsETags = true
    /// Whether the first answer to a completion has an ETag that is not empty.
    package var completeTellsETag = true
    /// Whether lists contain ETags without quotes.
    package var listsBareETags = false
    /// Whether a repeated completion with the same list is answered like the first.
    package var remembersCompletions = false
    package var conditionalPut = Condition.ignored
    package var conditionalComplete = Condition.ignored
    /// What the store does with `If-Match` of a deletion.
    package var conditionalDelete = Condition.ignored
    /// Whether PutObject checks a condition only when the request begins. Such a store overwrites an object that
    /// appears while the body arrives.
    package var looksAtConditionsFirst = false
    /// Number of parts, uploads or keys per page.
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
        $0.conditionalDelete = .honoured
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

    package static let swift = S3Rules(name: "swift") {
        $0.partsMax = 1_000
    }

    package static let storj = S3Rules(name: "storj") {
        $0.etags = .md5OfPartsOnly
    }

    /// A store that checks nothing, keeps no metadata and forgets completions.
    package static let generic = S3Rules(name: "generic") {
        $0.checksContentSHA256 = false
        $0.keepsMetadata = false
        $0.etags = .opaque
    }

    /// The rules of all kinds of store, each with its own name.
    package static let all = [aws, minio, ceph, juicefs, r2, gcs, b2, scaleway, swift, storj, generic]
}
