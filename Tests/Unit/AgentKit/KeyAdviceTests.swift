import AgentKit
import Foundation
import TestSupport
import Testing

/// Tests of the advice about keys that a user may not expect.
@Suite struct KeyAdviceTests {
    @Test(
        arguments: [
            ("", "0840.mp4", nil), ("cam1/", "cam1/0840.mp4", nil),
            (
                "noslash", "noslash0840.mp4",
                "keys begin with noslash0840.mp4: a prefix usually ends in a slash (--prefix noslash/)"
            ),
        ] as [(String, String, String?)])
    func prefixWithoutASlashIsExplained(prefix: String, key: String, sentence: String?) {
        #expect(KeyAdvice.sentence(prefix: prefix, firstKey: key) == sentence)
    }

    @Test func nameOfADirectoryIsExplained() async throws {
        try await withTemporaryDirectory { directory in
            let tree = directory.appending(path: "cam1")
            try FileManager.default.createDirectory(at: tree, withIntermediateDirectories: false)
            let path = tree.path(percentEncoded: false)
            let sentence = KeyAdvice.sentence(aboutDirectories: [path], prefix: "")
            #expect(sentence?.contains("so cam1 is not part of them (--prefix cam1/ puts it there)") == true)
            #expect(KeyAdvice.sentence(aboutDirectories: [path], prefix: "p/") == nil)
            #expect(KeyAdvice.sentence(aboutDirectories: [path + "/."], prefix: "") == nil)
            #expect(KeyAdvice.sentence(aboutDirectories: [path + "/none"], prefix: "") == nil)
        }
    }
}
