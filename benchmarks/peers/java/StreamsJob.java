// How does the job run on Kafka Streams? One processor, a store of persons and one of what is due, by time.

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

public final class StreamsJob {
    private static final byte[] NOTHING = new byte[0];

    public static void main(String[] args) {
        Map<String, String> settings = Shop.settings(args);
        Shop.Marks marks = new Shop.Marks(settings);
        StreamsBuilder builder = new StreamsBuilder();
        builder.addStateStore(Stores.keyValueStoreBuilder(
                        Stores.persistentKeyValueStore("persons"), Serdes.String(),
                        Serdes.serdeFrom((topic, person) -> write(person), (topic, bytes) -> read(bytes)))
                .withCachingEnabled());
        builder.addStateStore(Stores.keyValueStoreBuilder( // no cache: each entry is written once and read once
                Stores.persistentKeyValueStore("due"), Serdes.ByteArray(), Serdes.ByteArray()));
        builder.stream(settings.get("input"), Consumed.with(Serdes.String(), events()))
                .process(() -> new Desk(settings, marks), "persons", "due")
                .to(settings.get("output"), Produced.with(Serdes.String(), triggers()));
        KafkaStreams streams = new KafkaStreams(builder.build(), properties(settings));
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }

    private static Properties properties(Map<String, String> settings) {
        Properties properties = new Properties();
        properties.put(StreamsConfig.APPLICATION_ID_CONFIG, settings.get("group"));
        properties.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, settings.get("bootstrap"));
        properties.put(StreamsConfig.STATE_DIR_CONFIG, settings.get("directory"));
        properties.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        if (settings.get("guarantee").equals("exactly_once")) {
            properties.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        }
        return properties;
    }

    private static Serde<Shop.Event> events() {
        return Serdes.serdeFrom(
                (topic, event) -> {
                    throw new UnsupportedOperationException("events are only read");
                },
                (topic, bytes) -> {
                    try {
                        return Shop.decode(bytes);
                    } catch (IOException bad) {
                        throw new UncheckedIOException(bad);
                    }
                });
    }

    private static Serde<Shop.Trigger> triggers() {
        return Serdes.serdeFrom(
                (topic, trigger) -> Shop.encode(trigger),
                (topic, bytes) -> {
                    throw new UnsupportedOperationException("triggers are only written");
                });
    }

    private static final class Desk implements Processor<String, Shop.Event, String, Shop.Trigger> {
        private final Shop.Rules rules;
        private final Shop.Marks marks;
        private final long outOfOrderness;
        private final List<Shop.Trigger> told = new ArrayList<>();
        private ProcessorContext<String, Shop.Trigger> context;
        private KeyValueStore<String, Shop.Person> persons;
        private KeyValueStore<byte[], byte[]> due;
        private long earliest; // no entry of `due` is older

        Desk(Map<String, String> settings, Shop.Marks marks) {
            this.rules = new Shop.Rules(settings);
            this.marks = marks;
            this.outOfOrderness = Long.parseLong(settings.get("out_of_orderness_ms"));
        }

        @Override
        public void init(ProcessorContext<String, Shop.Trigger> context) {
            this.context = context;
            persons = context.getStateStore("persons");
            due = context.getStateStore("due");
            context.schedule(Duration.ofSeconds(1), PunctuationType.STREAM_TIME, now -> wake(now - outOfOrderness));
        }

        @Override
        public void process(Record<String, Shop.Event> record) {
            Shop.Event event = record.value();
            Shop.Person person = persons.get(event.userId);
            if (person == null) {
                person = new Shop.Person();
            }
            long before = person.due;
            rules.apply(person, event, told);
            persons.put(event.userId, person);
            if (person.due != before) {
                if (before != 0) {
                    due.delete(key(before, event.userId));
                }
                if (person.due != 0) {
                    due.put(key(person.due, event.userId), NOTHING);
                    earliest = Math.min(earliest, person.due);
                }
            }
            forward(record.timestamp());
            marks.count();
        }

        private void wake(long now) {
            if (now < earliest) {
                return;
            }
            List<byte[]> passed = new ArrayList<>();
            byte[] from = key(earliest, "");
            earliest = Long.MAX_VALUE;
            try (KeyValueIterator<byte[], byte[]> entries = due.range(from, null)) {
                while (entries.hasNext()) {
                    KeyValue<byte[], byte[]> entry = entries.next();
                    long at = ByteBuffer.wrap(entry.key).getLong();
                    if (at > now) {
                        earliest = at;
                        break;
                    }
                    passed.add(entry.key);
                }
            }
            for (byte[] key : passed) {
                due.delete(key);
                String userId = new String(key, 8, key.length - 8, StandardCharsets.UTF_8);
                Shop.Person person = persons.get(userId);
                if (person.due == ByteBuffer.wrap(key).getLong()) {
                    told.add(rules.abandoned(person, userId));
                    persons.put(userId, person);
                }
            }
            forward(now);
        }

        private void forward(long timestamp) {
            for (Shop.Trigger trigger : told) {
                context.forward(new Record<>(trigger.userId, trigger, timestamp));
            }
            told.clear();
        }

        private static byte[] key(long at, String userId) {
            byte[] user = userId.getBytes(StandardCharsets.UTF_8);
            return ByteBuffer.allocate(8 + user.length).putLong(at).put(user).array();
        }
    }

    private static byte[] write(Shop.Person person) {
        if (person == null) {
            return null;
        }
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(128);
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeLong(person.seenAt);
            out.writeInt(person.days.length);
            for (long day : person.days) {
                out.writeLong(day);
            }
            out.writeInt(person.cart.size());
            for (Map.Entry<String, Integer> line : person.cart.entrySet()) {
                out.writeUTF(line.getKey());
                out.writeInt(line.getValue());
            }
            out.writeLong(person.changedAt);
            out.writeUTF(person.anchor == null ? "" : person.anchor);
            out.writeLong(person.due);
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
        return bytes.toByteArray();
    }

    private static Shop.Person read(byte[] bytes) {
        if (bytes == null) {
            return null;
        }
        Shop.Person person = new Shop.Person();
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
            person.seenAt = in.readLong();
            person.days = new long[in.readInt()];
            Arrays.setAll(person.days, i -> readLong(in));
            for (int lines = in.readInt(); lines > 0; lines--) {
                person.cart.put(in.readUTF(), in.readInt());
            }
            person.changedAt = in.readLong();
            person.anchor = in.readUTF();
            person.due = in.readLong();
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
        return person;
    }

    private static long readLong(DataInputStream in) {
        try {
            return in.readLong();
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
    }
}
