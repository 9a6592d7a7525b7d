import CommandSupport
import Testing

/// Tests of the device list and of the list of unfinished uploads on a terminal.
@Suite struct ListedDevicesTests {
    private static let fingerprint = "sha256:" + String(repeating: "0123456789abcdef", count: 4)
    private static let list = """
        # name  fingerprint  options
        cam1  \(fingerprint)  prefix=cam1/
        a-device-with-a-very-long-name-of-more-than-forty-letters  \(fingerprint)  prefix=yard/  sessions=100
        cam3  revoked
        # cam4 may write any key

        """

    @Test func deviceListOfAFileIsThatOfTheHome() {
        #expect(ListedDevices.lines(of: Self.list, width: nil).joined(separator: "\n") + "\n" == Self.list)
    }

    @Test func wideTerminalKeepsTheOrder() {
        let lines = ListedDevices.lines(of: Self.list, width: 200)
        let name = "a-device-with-a-very-long-name-of-more-than-forty-letters"
        #expect(lines[1] == DisplayWidth.padded("cam1", to: name.count) + "  \(Self.fingerprint)  prefix=cam1/")
        #expect(lines[2] == "\(name)  \(Self.fingerprint)  prefix=yard/  sessions=100")
    }

    /// A fingerprint that is shortened cannot be compared with another.
    @Test func narrowTerminalKeepsFingerprintsWhole() {
        let lines = ListedDevices.lines(of: Self.list, width: 80)
        #expect(
            lines == [
                "# name  fingerprint  options",
                DisplayWidth.padded("cam1", to: 54) + "prefix=cam1/",
                "   \(Self.fingerprint)",
                "a-device-with-a-very-long\u{2026}of-more-than-forty-letters  prefix=yard/  sessions=100",
                "   \(Self.fingerprint)", "cam3", "   revoked", "# cam4 may write any key",
            ])
    }

    @Test func longKeysDoNotHideTheBytes() {
        let session = "00112233445566778899aabbccddeeff"
        let key = "cam1/" + String(repeating: "long/", count: 30) + "0840.mp4"
        var printed: [String] = []
        for width in [nil, 80, 40] {
            var table = ListedUploads(width: width)
            table.add([session, "3h", "12 parts", "100663296 B", "cam1", key, "(a remark)"]) { printed.append($0) }
            table.finish { printed.append($0) }
        }
        #expect(printed.first == "\(session)  3h  12 parts  100663296 B  cam1  \(key)  (a remark)")
        let rows = printed.filter { $0.contains("100663296 B") }
        #expect(rows.count == 3, "\(printed)")
        #expect(rows.dropFirst().map { DisplayWidth.columns(of: $0) <= 80 } == [true, true])
        #expect(printed.dropFirst().filter { $0.contains("(a remark)") }.allSatisfy { $0 == "   (a remark)" })
    }
}
