import Foundation
import ObjectStore
import ObjectStoreConformance
import S3Servers
import S3Store
import Testing
import TransferCommon

/// Answers without dates, or with dates in unusual forms. If a date is missing, only an age is unknown, and the call
/// still succeeds.
@Suite(.timeLimit(.minutes(5))) struct UndatedAnswerTests {
    private static let second = Date(timeIntervalSince1970: 784_111_777)
    private static let forms: [(text: String, date: Date?)] = [
        ("1994-11-06T08:49:37+00:00", second), ("1994-11-06 08:49:37", second), ("yesterday", nil), ("", nil),
    ]

    @Test(arguments: forms)
    func partsAreListed(form: (text: String, date: Date?)) async throws {
        let list =
            "<ListPartsResult><Part><PartNumber>1</PartNumber><LastModified>\(form.text)</LastModified>"
            + "<ETag>&quot;e&quot;</ETag><Size>10</Size></Part></ListPartsResult>"
        try await ScriptedServer.withServer({ _ in .answer(status: 200, body: list) }) { server in
            try await withScriptedStore(server) { store in
                let parts = try await store.allParts(key: "k", upload: "u")
                #expect(parts.map(\.size) == [10] && parts.map(\.modified) == [form.date])
            }
        }
    }

    @Test(arguments: forms)
    func uploadsAreListed(form: (text: String, date: Date?)) async throws {
        let list =
            "<ListMultipartUploadsResult><Upload><Key>k</Key><UploadId>u</UploadId>"
            + "<Initiated>\(form.text)</Initiated></Upload></ListMultipartUploadsResult>"
        try await ScriptedServer.withServer({ _ in .answer(status: 200, body: list) }) { server in
            try await withScriptedStore(server) { store in
                let uploads = try await store.uploads(key: "k")
                #expect(uploads.map(\.upload) == ["u"] && uploads.map(\.created) == [form.date])
            }
        }
    }

    @Test(arguments: [
        ("Sun, 06 Nov 1994 08:49:37 +0000", second), ("Sun, 06 Nov 1994 08:49:37 UTC", second), (nil, nil as Date?),
    ])
    func objectsAndRecordsAreRead(text: String?, date: Date?) async throws {
        var headers = [(name: "Content-Length", value: "0"), (name: "ETag", value: "\"e\"")]
        if let text { headers.append((name: "Last-Modified", value: text)) }
        let answer = ScriptedAnswer.answer(status: 200, headers: headers)
        try await ScriptedServer.withServer({ _ in answer }) { server in
            try await withScriptedStore(server) { store in
                let summary = try #require(try await store.object(key: "k"))
                #expect(summary.size == 0)
                let record = try #require(try await store.readRecord(name: "r"))
                #expect(record.modified == date)
            }
        }
    }

    /// The store refuses HEAD of the bucket. The gateway takes the time from the answer to a listing.
    @Test(arguments: [403, 405])
    func listingTellsTheTimeIfTheBucketIsForbidden(status: Int) async throws {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT"
        let script: ScriptedServer.Script = { request in
            guard request.method == "GET" else { return .answer(status: status) }
            let body = "<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>"
            return .answer(status: 200, headers: [("Date", date)], body: body)
        }
        try await ScriptedServer.withServer(script) { server in
            try await withScriptedStore(server) { store in
                let time = try await store.currentTime()
                #expect(time == Self.second)
            }
        }
    }

    @Test func storeWithoutDateTellsNoTime() async throws {
        try await ScriptedServer.withServer({ _ in .answer(status: 200) }) { server in
            try await withScriptedStore(server) { store in
                let time = try await store.currentTime()
                #expect(time == nil)
            }
        }
    }
}
