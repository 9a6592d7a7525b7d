import Foundation
import SystemSupport
import Testing

/// Tests of writing to real descriptors: pipes that are read, not read or closed, a full device, closed descriptors.
@Suite(.serialized, .timeLimit(.minutes(2))) struct OutputWriterTests {
    private final class Pipe {
        let reading: Int32
        let writing: Int32
        private var isReaderOpen = true

        init() throws {
            signal(SIGPIPE, SIG_IGN)
            var ends: [Int32] = [-1, -1]
            try #require(pipe(&ends) == 0)
            (reading, writing) = (ends[0], ends[1])
        }

        func read(_ count: Int) throws -> String {
            var bytes: [UInt8] = []
            while bytes.count < count {
                var piece = [UInt8](repeating: 0, count: count - bytes.count)
                let size = Foundation.read(reading, &piece, piece.count)
                try #require(size > 0)
                bytes += piece.prefix(size)
            }
            return String(decoding: bytes, as: UTF8.self)
        }

        func closeReader() {
            if isReaderOpen { close(reading) }
            isReaderOpen = false
        }

        deinit {
            closeReader()
            close(writing)
        }
    }

    private static let moment = Duration.milliseconds(200)
    /// A line that does not fit in the buffer of a pipe.
    private static let longLine = String(repeating: "x", count: 300_000)

    @Test func foreignTextIsMadeVisible() throws {
        let pipe = try Pipe()
        let writer = OutputWriter(descriptor: pipe.writing)
        writer.line("x\u{1B}[2J\nforged")
        writer.json("{\"key\":\"\u{9B}2J\"}")
        writer.raw("\u{1B}[1A")
        writer.log("a\rb")
        let expected = "x\\u{1b}[2J\\u{a}forged\n{\"key\":\"\\u009b2J\"}\n\u{1B}[1Aa\\u{d}b\n"
        #expect(try pipe.read(expected.utf8.count) == expected)
        #expect(writer.drain(stalledAtMost: .seconds(30)) && writer.loss == nil)
    }

    @Test func unreadPipeBlocksNothing() throws {
        let pipe = try Pipe()
        let writer = OutputWriter(descriptor: pipe.writing, patience: Self.moment, bytesMax: 400_000)
        writer.line(Self.longLine)
        writer.line(Self.longLine)
        #expect(writer.loss == .stalled, "the second line does not fit, and the caller does not wait")
        #expect(writer.pendingBytes > 0)
        writer.finish()
        #expect(writer.loss == .stalled)
        #expect(try pipe.read(Self.longLine.utf8.count + 1) == Self.longLine + "\n")
        #expect(writer.drain(stalledAtMost: .seconds(30)))
    }

    @Test func textOfAStalledReaderIsLostAtTheEnd() throws {
        let pipe = try Pipe()
        let writer = OutputWriter(descriptor: pipe.writing, patience: Self.moment)
        writer.line(Self.longLine)
        #expect(writer.loss == nil)
        #expect(!writer.drain())
        #expect(writer.loss == nil, "draining alone loses no text")
        writer.finish()
        #expect(writer.loss == .stalled)
        pipe.closeReader()
    }

    /// A command that only prints waits for a slow reader, as `cat` does.
    @Test func patientWriterWaitsForItsReader() throws {
        let pipe = try Pipe()
        let writer = OutputWriter(descriptor: pipe.writing, bytesMax: 1_000)
        let count = 2_000
        let line = String(repeating: "y", count: 99)
        // The lines come from a thread of their own, because the writer blocks it until this test has read enough.
        Thread.detachNewThread {
            for _ in 0..<count { writer.line(line) }
        }
        #expect(try pipe.read(count * 100) == String(repeating: line + "\n", count: count))
        writer.finish()
        #expect(writer.loss == nil)
    }

    @Test func closedReaderLosesTextOnly() throws {
        let pipe = try Pipe()
        pipe.closeReader()
        let writer = OutputWriter(descriptor: pipe.writing)
        writer.line("lost")
        writer.finish()
        #expect(writer.loss == .failed(EPIPE))
        // A command that waits for a slow reader must not wait for a reader that is gone.
        for _ in 0..<100 { writer.line(Self.longLine) }
        #expect(writer.pendingBytes == 0)
    }

    @Test func fullDeviceLosesTextOnly() throws {
        let device = open("/dev/full", O_WRONLY)
        try #require(device >= 0)
        defer { close(device) }
        let writer = OutputWriter(descriptor: device)
        for _ in 0..<3 {
            writer.line("lost")
            writer.finish()
            #expect(writer.loss == .failed(ENOSPC))
        }
    }

    @Test func closedDescriptorLosesTextOnly() throws {
        // A descriptor that can only be read stands for one that the shell has closed.
        let device = open("/dev/null", O_RDONLY)
        try #require(device >= 0)
        defer { close(device) }
        let writer = OutputWriter(descriptor: device)
        writer.line("lost")
        writer.finish()
        #expect(writer.loss == .failed(EBADF))
    }

    /// A shell may make a terminal non-blocking for all programs that share it.
    @Test func nonBlockingDescriptorTakesAllText() throws {
        let pipe = try Pipe()
        try #require(fcntl(pipe.writing, F_SETFL, O_NONBLOCK) == 0)
        let writer = OutputWriter(descriptor: pipe.writing)
        writer.line(Self.longLine)
        #expect(try pipe.read(Self.longLine.utf8.count + 1) == Self.longLine + "\n")
        #expect(writer.drain(stalledAtMost: .seconds(30)) && writer.loss == nil)
    }

    @Test func blockedLogCountsItsLines() throws {
        let pipe = try Pipe()
        let writer = OutputWriter(descriptor: pipe.writing, patience: Self.moment, bytesMax: 1_000)
        writer.log(Self.longLine)
        for _ in 0..<3 { writer.log("omitted") }
        let expected = Self.longLine + "\n3 lines of the log left out: this output was not read\n"
        #expect(try pipe.read(expected.utf8.count) == expected)
        #expect(writer.loss == nil)
    }
}
