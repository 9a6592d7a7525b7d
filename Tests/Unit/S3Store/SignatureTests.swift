import FoundationEssentials
import ObjectStore
import S3Store
import Testing
import WireProtocol

/// One published example: the signed request and its correct signature.
struct SignatureVector: Sendable, CustomTestStringConvertible {
    var name: String
    var method = "GET"
    /// The path before percent-encoding.
    var path = "/"
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)]
    var payload = SignatureVector.emptyPayload
    var signature: String

    var testDescription: String { name }

    static let emptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    var subject: S3Signature.Subject {
        S3Signature.Subject(
            method: method, path: S3Signature.percentEncoded(path, keepingSlashes: true), query: query,
            headers: headers, payload: payload)
    }
}

/// Tests with AWS's own examples.
@Suite struct SignatureTests {
    @Test(arguments: s3Examples)
    func signsAsTheS3ReferenceShows(vector: SignatureVector) throws {
        let key = try S3SigningKey(
            secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", day: "20130524", region: "us-east-1")
        let text = try S3Signature.stringToSign(
            S3Signature.canonicalRequest(vector.subject), timestamp: "20130524T000000Z", scope: key.scope)
        #expect(try key.signature(of: text) == vector.signature)
    }

    @Test(arguments: generalSuite)
    func signsAsTheGeneralTestSuiteShows(vector: SignatureVector) throws {
        let key = try S3SigningKey(
            secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", day: "20150830", region: "us-east-1",
            service: "service")
        let text = try S3Signature.stringToSign(
            S3Signature.canonicalRequest(vector.subject), timestamp: "20150830T123600Z", scope: key.scope)
        #expect(try key.signature(of: text) == vector.signature)
    }

    @Test func writesTheAuthorizationHeader() throws {
        let vector = try #require(s3Examples.first)
        let key = try S3SigningKey(
            secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", day: "20130524", region: "us-east-1")
        let header = try S3Signature.authorization(
            of: vector.subject, timestamp: "20130524T000000Z", accessKeyID: "AKIAIOSFODNN7EXAMPLE", key: key)
        #expect(
            header == "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
                + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, Signature=\(vector.signature)")
    }

    @Test(arguments: [
        ("a/../b//c/./d", "a/../b//c/./d"), ("a b+c", "a%20b%2Bc"), ("50%", "50%25"), ("caf\u{E9}", "caf%C3%A9"),
        ("cafe\u{301}", "cafe%CC%81"), ("~-._", "~-._"), ("a*'()!", "a%2A%27%28%29%21"),
    ])
    func encodesPathsOnceWithoutNormalising(path: String, encoded: String) {
        #expect(S3Signature.percentEncoded(path, keepingSlashes: true) == encoded)
    }
}

/// The four examples of "Authenticating Requests: Using the Authorization Header".
private let s3Examples = [
    SignatureVector(
        name: "GET object with a range", path: "/test.txt",
        headers: s3Headers + [("Range", "bytes=0-9"), ("x-amz-content-sha256", SignatureVector.emptyPayload)],
        signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
    SignatureVector(
        name: "PUT object", method: "PUT", path: "/test$file.text",
        headers: s3Headers + [
            ("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"),
        ],
        payload: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
    SignatureVector(
        name: "GET bucket lifecycle", query: [("lifecycle", "")],
        headers: s3Headers + [("x-amz-content-sha256", SignatureVector.emptyPayload)],
        signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
    SignatureVector(
        name: "list objects", query: [("prefix", "J"), ("max-keys", "2")],
        headers: s3Headers + [("x-amz-content-sha256", SignatureVector.emptyPayload)],
        signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
]

private let s3Headers = [("Host", "examplebucket.s3.amazonaws.com"), ("x-amz-date", "20130524T000000Z")]

private let suiteHeaders = [("Host", "example.amazonaws.com"), ("X-Amz-Date", "20150830T123600Z")]
private let unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/// AWS's general test suite, without the cases that normalise paths, which S3 does not do.
private let generalSuite = [
    SignatureVector(
        name: "get-vanilla", headers: suiteHeaders,
        signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    SignatureVector(
        name: "get-header-key-duplicate",
        headers: suiteHeaders + [("My-Header1", "value2"), ("My-Header1", "value2"), ("My-Header1", "value1")],
        signature: "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"),
    SignatureVector(
        name: "get-header-value-order",
        headers: suiteHeaders + [
            ("My-Header1", "value4"), ("My-Header1", "value1"), ("My-Header1", "value3"), ("My-Header1", "value2"),
        ],
        signature: "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"),
    SignatureVector(
        name: "get-header-value-trim",
        headers: suiteHeaders + [("My-Header1", " value1"), ("My-Header2", " \"a   b   c\"")],
        signature: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
    SignatureVector(
        name: "get-unreserved", path: "/\(unreserved)", headers: suiteHeaders,
        signature: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
    SignatureVector(
        name: "get-utf8", path: "/\u{1234}", headers: suiteHeaders,
        signature: "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    SignatureVector(
        name: "get-space", path: "/example space/", headers: suiteHeaders,
        signature: "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
    SignatureVector(
        name: "get-vanilla-empty-query-key", query: [("Param1", "value1")], headers: suiteHeaders,
        signature: "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
    SignatureVector(
        name: "get-vanilla-query-order-key", query: [("Param1", "value2"), ("Param1", "Value1")],
        headers: suiteHeaders, signature: "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1"),
    SignatureVector(
        name: "get-vanilla-query-order-key-case", query: [("Param2", "value2"), ("Param1", "value1")],
        headers: suiteHeaders, signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
    SignatureVector(
        name: "get-vanilla-query-order-value", query: [("Param1", "value2"), ("Param1", "value1")],
        headers: suiteHeaders, signature: "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"),
    SignatureVector(
        name: "get-vanilla-query-unreserved", query: [(unreserved, unreserved)], headers: suiteHeaders,
        signature: "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
    SignatureVector(
        name: "get-vanilla-utf8-query", query: [("\u{1234}", "bar")], headers: suiteHeaders,
        signature: "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
    SignatureVector(
        name: "post-vanilla", method: "POST", headers: suiteHeaders,
        signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    SignatureVector(
        name: "post-vanilla-query", method: "POST", query: [("Param1", "value1")], headers: suiteHeaders,
        signature: "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
    SignatureVector(
        name: "post-header-key-sort", method: "POST", headers: suiteHeaders + [("My-Header1", "value1")],
        signature: "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
    SignatureVector(
        name: "post-sts-header-before", method: "POST",
        headers: suiteHeaders + [("X-Amz-Security-Token", securityToken)],
        signature: "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"),
    SignatureVector(
        name: "post-x-www-form-urlencoded", method: "POST",
        headers: suiteHeaders + [("Content-Type", "application/x-www-form-urlencoded")],
        payload: "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e",
        signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
]

private let securityToken =
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuw"
    + "thAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHN"
    + "VXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxB"
    + "A=="
