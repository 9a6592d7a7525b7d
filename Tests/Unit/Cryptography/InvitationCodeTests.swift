import Cryptography
import Testing
import TransferCommon
import WireProtocol

/// The invitation code: one line of text with which a user sets a device up (specification §5.2).
@Suite
struct InvitationCodeTests {
    private static func code(gateway: String = "gateway.example.org:7420") throws -> InvitationCode {
        let pin = Fingerprint(try SHA256Digest.of([1, 2, 3]))
        return InvitationCode(gateway: gateway, pin: pin, secret: InvitationSecret(high: 0x0123, low: .max))
    }

    @Test(arguments: ["g:1", "gateway.example.org:7420", "[2001:db8::1]:7420", "bücher.example:7420"])
    func roundTrips(gateway: String) throws {
        let code = try Self.code(gateway: gateway)
        let text = try code.text()
        #expect(InvitationCode(text: text) == code)
        #expect(InvitationCode(text: "  \(text.prefix(40))\n\(text.dropFirst(40))\n") == code, "wrapped by a mail")
        #expect(text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) })
    }

    /// The specification's example was computed independently of this code.
    @Test func hasTheSpecifiedForm() throws {
        let text = "sluice1.ckKGgwOQWMbywMtJLFM7Ck0U73fMD3irzM7VKH2EoaIBHPuBAAAAAAAAASP__________2c6MQ"
        #expect(try Self.code(gateway: "g:1").text() == text)
    }

    @Test func typosAreDetected() throws {
        let text = try Self.code().text()
        for index in text.indices {
            var changed = text
            changed.remove(at: index)
            #expect(
                InvitationCode(text: changed) == nil,
                "without character \(text.distance(from: text.startIndex, to: index))")
            changed.insert(text[index] == "A" ? "B" : "A", at: index)
            #expect(InvitationCode(text: changed) == nil)
        }
        for nonsense in [
            "", "sluice1.", "sluice1.AAAA", "sluice2.\(text.dropFirst(8))", String(repeating: "A", count: 2_000),
        ] {
            #expect(InvitationCode(text: nonsense) == nil)
        }
    }

    @Test func printedCodeHidesItsSecret() throws {
        let code = try Self.code()
        let dumped = Dump(code).text
        for text in ["\(code)", String(reflecting: code), dumped] {
            #expect(!text.contains("18446744073709551615"), "the low half in decimal")
            #expect(!text.contains("ffffffffffffffff"))
        }
    }

    private struct Dump {
        var text = ""

        init(_ value: some Any) {
            dump(value, to: &text)
        }
    }
}
