import CommandSupport
import Foundation
import SystemSupport
import Testing

/// Tests of the log of both programs.
@Suite(.timeLimit(.minutes(1))) struct ProgramLogTests {
    /// A device's name or a store's answer in the metadata must not forge a line of the log.
    @Test func lineShowsControls() throws {
        let pipe = Pipe()
        let writer = OutputWriter(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        var stream = LogStream(writer: writer)
        stream.write("info gateway: device=x\u{1B}[2J\nforged [GatewayKit] Welcomed\r\n")
        stream.write("without a line feed")
        #expect(writer.drain(stalledAtMost: .seconds(30)))
        try pipe.fileHandleForWriting.close()
        let text = try #require(try pipe.fileHandleForReading.readToEnd())
        #expect(
            String(decoding: text, as: UTF8.self)
                == "info gateway: device=x\\u{1b}[2J\\u{a}forged [GatewayKit] Welcomed\\u{d}\nwithout a line feed\n")
    }
}
