import CommandSupport
import Foundation
import Logging
import Synchronization
import Testing

/// Tests of the log as JSON.
@Suite struct JSONLogHandlerTests {
    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    private func lines(_ body: (inout Logger) -> Void) -> [String] {
        let lines = Lines()
        var logger = Logger(label: "agent") { label in
            JSONLogHandler(label: label) { line in lines.all.withLock { $0.append(line) } }
        }
        body(&logger)
        return lines.all.withLock { $0 }
    }

    @Test func entryIsOneObject() throws {
        let lines = lines { logger in
            logger[metadataKey: "folder"] = "cam"
            logger.warning(
                "A \"file\"\nwaits", metadata: ["path": "a\u{1B}\n", "parts": ["1", "2"], "at": ["b": "2", "a": "1"]])
            logger.debug("left out")
        }
        let line = try #require(lines.first)
        #expect(lines.count == 1 && line.unicodeScalars.allSatisfy { $0.value >= 0x20 })
        #expect(line.hasPrefix(#"{"time":"2"#))
        #expect(
            line.hasSuffix(
                #""level":"warning","logger":"agent","message":"A \"file\"\u000awaits","#
                    + #""metadata":{"at":{"a":"1","b":"2"},"folder":"cam","parts":["1","2"],"path":"a\u001b\u000a"}}"#))
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(object["message"] as? String == "A \"file\"\nwaits")
    }

    @Test func entryWithoutMetadataHasNone() throws {
        let line = try #require(lines { $0.info("Ready") }.first)
        #expect(line.hasSuffix(#""level":"info","logger":"agent","message":"Ready"}"#))
    }
}
