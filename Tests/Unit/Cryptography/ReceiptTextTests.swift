import Cryptography
import Testing
import TransferCommon
import WireProtocol

@Suite struct ReceiptTextTests {
    @Test func theVectorIsShown() throws {
        let statement = try ReceiptVector().receipt.content()
        let beginning = "2026-01-01T00:01:01Z  10485760 B  site-a/camera/2026-01-01.mp4  root digest "
        #expect(statement.line.hasPrefix(beginning))
        let details = statement.details
        #expect(details.allSatisfy { !$0.contains("\n") })
        #expect(details[0] == "stored     2026-01-01T00:01:01Z, by the gateway's clock")
        #expect(details.contains("device     camera-7"))
        #expect(details.last == "signed by  sha256:a050837d85070582ccf7394b0988847cc312cb88259b894899f6f239cf1791a5")
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (-1, "-1 ms since 1970"), (253_402_300_799_999, "9999-12-31T23:59:59Z"),
            (1_767_225_661_999, "2026-01-01T00:01:01Z"), (.max, "9223372036854775807 ms since 1970"),
            (.min, "-9223372036854775808 ms since 1970"),
        ] as [(Int64, String)])
    func anyTimeIsShown(milliseconds: Int64, text: String) throws {
        var statement = try ReceiptVector().receipt.content()
        statement.timeMilliseconds = milliseconds
        #expect(statement.timeText == text)
    }

    @Test func foreignTextCannotMoveTheCursor() throws {
        var statement = try ReceiptVector().receipt.content()
        (statement.key, statement.device, statement.etag) = ("a\u{1B}[2J", "b\nverified", "c\r")
        (statement.version, statement.evidence) = ("d\u{202E}", .wholeDigest(statement.siteKey))
        for line in statement.details + [statement.line] {
            #expect(line.withVisibleControls == line)
        }
        #expect(statement.contentText.hasPrefix("sha256 "))
    }
}
