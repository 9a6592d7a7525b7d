import Cryptography
import Testing
import TransferCommon
import WireProtocol

@Suite struct FingerprintTests {
    private static let digits = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    @Test func textAndValueBelongTogether() throws {
        let fingerprint = try #require(Fingerprint("sha256:" + Self.digits))
        #expect(try fingerprint.digest == SHA256Digest.of("abc".utf8))
        #expect(fingerprint.description == "sha256:" + Self.digits)
    }

    @Test func digitsOfEitherCaseAreOneFingerprint() {
        #expect(Fingerprint("sha256:" + Self.digits.uppercased()) == Fingerprint("sha256:" + Self.digits))
    }

    @Test(arguments: [
        "", "sha256:", digits, "SHA256:" + digits, "sha256: " + digits, " sha256:" + digits, "sha256:" + digits + "\n",
        "sha256:" + digits.dropLast(), "sha256:" + digits.dropLast(2), "sha256:" + digits + "00",
        "sha256:" + digits.dropLast() + "g", "md5:" + digits, "sha256:sha256:" + digits,
    ])
    func otherTextsAreNoFingerprints(text: String) {
        #expect(Fingerprint(text) == nil)
    }
}
