import AgentKit
import CommandSupport
import Foundation
import Testing
import TransferCommon
import TransferCore
import WireProtocol
import sluice_agent

/// What a user sees of one fixed state on terminals with 80, 40 and 20 columns, compared as a whole.
@Suite struct ScreenTests {
    private static let mebibyte: UInt64 = 1 << 20
    private static let japanese = "clips/日本語の長いファイル名-録画.mp4"

    /// A push of five files: one is stored, one has failed, three are being sent.
    private static func board() throws -> (board: ProgressBoard, now: ContinuousClock.Instant) {
        let start = ContinuousClock.now
        var board = ProgressBoard()
        func figures(_ stored: UInt64, of size: UInt64, sent: UInt64 = 0) -> UploadProgress {
            UploadProgress(size: size, storedBytes: stored, bytesSent: sent, bytesResumed: 0)
        }
        let receipt = UploadReceipt(
            size: 96 * mebibyte, partBytes: mebibyte, root: nil, evidence: .none, etag: "", version: "")
        let active = "clips/2026-12-01-north-gate-camera-0930.mp4"
        let whole = figures(96 * mebibyte, of: 96 * mebibyte)
        let events: [UploadEvent] = [
            .file(key: active, figures(40 * mebibyte, of: 96 * mebibyte)),
            .file(key: japanese, figures(mebibyte * 3 / 2, of: 30 * mebibyte)),
            .file(key: "log.txt", figures(mebibyte / 2, of: 2 * mebibyte)),
            .finished(path: "a", key: "clips/0840.mp4", .stored(receipt, wasThere: false), whole),
            .finished(
                path: "b", key: "clips/0910.mp4", .failed(UploadFailure(.keyTaken)), figures(0, of: 64 * mebibyte)),
            .part(
                key: active, number: try #require(PartNumber(7)), sent: 12 * mebibyte, size: 16 * mebibyte,
                isStored: false),
        ]
        for event in events { board.observe(event, at: start) }
        let now = start + .seconds(4)
        board.observe(.file(key: active, figures(48 * mebibyte, of: 96 * mebibyte, sent: 8 * mebibyte)), at: now)
        return (board, now)
    }

    @Test(arguments: [
        (
            100,
            """
            clips/2026-12-01-n…te-camera-0930.mp4  [############==----------] 50 %  48.0 MiB stored of 96.0 MiB
            clips/日本語の長いファイル名-録画.mp4  [#-----------------------]  5 %  1.5 MiB stored of 30.0 MiB
            log.txt                                [######------------------] 25 %  512.0 KiB stored of 2.0 MiB
            1 of 5 files, 1 failed: 146.0 MiB stored, 12.0 MiB on the way, 2.0 MiB/s, 33 s left
            """
        ),
        (
            80,
            """
            clips/20…0930.mp4  [############==----------] 50 %  48.0 MiB stored of 96.0 MiB
            clips/日…録画.mp4  [#-----------------------]  5 %  1.5 MiB stored of 30.0 MiB
            log.txt            [######------------------] 25 %  512.0 KiB stored of 2.0 MiB
            1 of 5 files, 1 failed: 146.0 MiB stored, 2.0 MiB/s, 33 s left
            """
        ),
        (
            40,
            """
            clips/…930.mp4  50 %  48.0/96.0 MiB
            clips/…画.mp4    5 %  1.5/30.0 MiB
            log.txt         25 %  512.0 KiB/2.0 MiB
            1/5, 1 failed: 146.0 MiB, 2.0 MiB/s
            """
        ),
        (
            20,
            """
            c…p4 50% 48/96MiB
            c…p4  5% 1.5/30MiB
            l…xt 25% 0.5/2.0MiB
            1/5 146MiB 2.0MiB/s
            """
        ),
    ])
    func push(columns: Int, screen: String) throws {
        var (board, now) = try Self.board()
        let lines = board.lines(on: TerminalSize(columns: columns, rows: 24), at: now)
        #expect(lines.joined(separator: "\n") == screen)
    }

    @Test(arguments: [
        (
            80,
            """
             1  clips/0840.mp4                         48.0 MiB of 96.0 MiB stored  2 h old
               /data/clips/0840.mp4  (stopped: interrupted)
            12  clips/日本語の長いファイル名-録画.mp4  0 B of 64.0 MiB stored       2 h old
               /data/clips/日本語の長いファイル名-録画.mp4  (waits for push or resume)
            13  log                                    1.5 MiB of a stream stored   2 h old
               standard input or a command
               (a stream cannot be resumed: push it again with its --key, or drop it)
            """
        ),
        (
            40,
            """
             1  clips…40.mp4  48.0/96.0 MiB  2 h old
               /data/clips/0840.mp4
               (stopped: interrupted)
            12  clips…画.mp4  0 B/64.0 MiB   2 h old
               /data/clips/日本語…ァイル名-録画.mp4
               (waits for push or resume)
            13  log           1.5 MiB        2 h old
               standard input or a command
               (a stream cannot be resumed: push it
               again with its --key, or drop it)
            """
        ),
        (
            20,
            """
             1 cli…mp4 48/96MiB
              /data/cl…/0840.mp4
              (stopped:
              interrupted)
            12 cli…mp4 0.0/64MiB
              /data/cl…-録画.mp4
              (waits for push or
              resume)
            13 log     1.5MiB
              standard input or
              a command
              (a stream cannot
              be resumed: push
              it again with its
              --key, or drop it)
            """
        ),
    ])
    func status(columns: Int, screen: String) {
        let twoHoursAgo = Int64(Date().timeIntervalSince1970 - 9_000) * 1_000
        func upload(
            _ id: Int64, _ key: String, _ stored: UInt64, of size: UInt64, path: String, trouble: String = ""
        ) -> AgentJournal.Unfinished {
            AgentJournal.Unfinished(
                id: UploadID(id), path: path, key: key, size: size, storedBytes: stored, isDropping: false,
                createdMilliseconds: twoHoursAgo, trouble: trouble)
        }
        let mebibyte = Self.mebibyte
        let table = UnfinishedTable([
            upload(
                1, "clips/0840.mp4", 48 * mebibyte, of: 96 * mebibyte, path: "/data/clips/0840.mp4",
                trouble: "interrupted"),
            upload(12, Self.japanese, 0, of: 64 * mebibyte, path: "/data/" + Self.japanese),
            upload(13, "log", mebibyte * 3 / 2, of: 0, path: "-"),
        ])
        #expect(table.lines(width: columns).joined(separator: "\n") == screen)
    }

    /// Scripts see the same line as before.
    @Test func statusInAFile() {
        let upload = AgentJournal.Unfinished(
            id: UploadID(1), path: "/data/a", key: "a", size: 100, storedBytes: 50, isDropping: false,
            createdMilliseconds: Int64(Date().timeIntervalSince1970 - 9_000) * 1_000, trouble: "")
        let line = "1  a  50 B of 100 B stored  2 h old  /data/a  (waits for push or resume)"
        #expect(UnfinishedTable([upload]).lines(width: nil) == [line])
    }

    @Test(arguments: [
        (
            80,
            """
            home      /home/camera/.sluice
            device
              sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
            gateway   192.0.2.7:7420, 12 ms away; it proved its identity
            sending   with the system's congestion control: BBR, which fills lossy links, is
                      not offered (modprobe tcp_bbr, or --connections 4)
            """
        ),
        (
            40,
            """
            home      /home/camera/.sluice
            device
              sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
            gateway   192.0.2.7:7420, 12 ms away; it
              proved its identity
            sending   with the system's congestion
              control: BBR, which fills lossy links,
              is not offered (modprobe tcp_bbr, or
              --connections 4)
            """
        ),
        (
            20,
            """
            home
              /home/camera/.sluice
            device
              sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
            gateway
              192.0.2.7:7420, 12
              ms away; it proved
              its identity
            sending   with the
              system's
              congestion
              control: BBR,
              which fills lossy
              links, is not
              offered (modprobe
              tcp_bbr, or
              --connections 4)
            """
        ),
    ])
    func doctor(columns: Int, screen: String) {
        let findings = [
            "home      /home/camera/.sluice",
            "device    sha256:" + String(repeating: "0123456789abcdef", count: 4),
            "gateway   192.0.2.7:7420, 12 ms away; it proved its identity",
            "sending   with the system's congestion control: BBR, which fills lossy links, is not offered "
                + "(modprobe tcp_bbr, or --connections 4)",
        ]
        let lines = findings.flatMap { DoctorReport.lines($0, width: columns) }
        #expect(lines.joined(separator: "\n") == screen)
        #expect(findings.flatMap { DoctorReport.lines($0, width: nil) } == findings)
    }
}
