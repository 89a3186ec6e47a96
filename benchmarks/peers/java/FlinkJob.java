// How does the job run on Flink? Source, a keyed process function with one POJO a user and event-time timers, sink.

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.producer.ProducerRecord;

public final class FlinkJob {
    public static void main(String[] args) throws Exception {
        Map<String, String> settings = Shop.settings(args);
        boolean exactlyOnce = settings.get("guarantee").equals("exactly_once");
        StreamExecutionEnvironment env =
                StreamExecutionEnvironment.createLocalEnvironment(1, configuration(settings, exactlyOnce));
        KafkaSource<Shop.Event> source = KafkaSource.<Shop.Event>builder()
                .setBootstrapServers(settings.get("bootstrap"))
                .setTopics(settings.get("input"))
                .setGroupId(settings.get("group"))
                .setStartingOffsets(OffsetsInitializer.earliest())
                .setValueOnlyDeserializer(new Events())
                .build();
        WatermarkStrategy<Shop.Event> watermarks = WatermarkStrategy
                .<Shop.Event>forBoundedOutOfOrderness(
                        Duration.ofMillis(Long.parseLong(settings.get("out_of_orderness_ms"))))
                .withTimestampAssigner((event, timestamp) -> event.ts);
        env.fromSource(source, watermarks, "clicks and orders")
                .keyBy(event -> event.userId)
                .process(new Desk(settings))
                .sinkTo(sink(settings, exactlyOnce));
        env.execute("shop");
    }

    private static Configuration configuration(Map<String, String> settings, boolean exactlyOnce) {
        Configuration configuration = new Configuration();
        configuration.setString("pipeline.object-reuse", "true");
        configuration.setString("pipeline.generic-types", "false"); // everything has an efficient serializer, or it fails
        configuration.setString("state.backend.type", settings.get("state"));
        configuration.setString("execution.checkpointing.incremental", "true");
        configuration.setString("execution.checkpointing.dir", "file://" + settings.get("directory") + "/checkpoints");
        configuration.setString("execution.checkpointing.mode", exactlyOnce ? "EXACTLY_ONCE" : "AT_LEAST_ONCE");
        configuration.setString("execution.checkpointing.interval", settings.get("checkpoint_ms") + " ms");
        configuration.setString("taskmanager.memory.managed.size", "256m"); // block cache and write buffers of RocksDB
        if (settings.containsKey("resume")) {
            configuration.setString("execution.state-recovery.path", settings.get("resume"));
        }
        return configuration;
    }

    private static KafkaSink<Shop.Trigger> sink(Map<String, String> settings, boolean exactlyOnce) {
        Properties producer = new Properties();
        producer.setProperty("transaction.timeout.ms", "600000"); // below the broker's 15 min, far above a checkpoint
        return KafkaSink.<Shop.Trigger>builder()
                .setBootstrapServers(settings.get("bootstrap"))
                .setKafkaProducerConfig(producer)
                .setDeliveryGuarantee(exactlyOnce ? DeliveryGuarantee.EXACTLY_ONCE : DeliveryGuarantee.AT_LEAST_ONCE)
                .setTransactionalIdPrefix(settings.get("group"))
                .setRecordSerializer(new Triggers(settings.get("output")))
                .build();
    }

    private static final class Events extends AbstractDeserializationSchema<Shop.Event> {
        @Override
        public Shop.Event deserialize(byte[] json) throws IOException {
            return Shop.decode(json);
        }
    }

    private static final class Triggers implements KafkaRecordSerializationSchema<Shop.Trigger> {
        private final String topic;

        Triggers(String topic) {
            this.topic = topic;
        }

        @Override
        public ProducerRecord<byte[], byte[]> serialize(Shop.Trigger trigger, KafkaSinkContext context, Long timestamp) {
            return new ProducerRecord<>(topic, trigger.userId.getBytes(StandardCharsets.UTF_8), Shop.encode(trigger));
        }
    }

    private static final class Desk extends KeyedProcessFunction<String, Shop.Event, Shop.Trigger> {
        private final Map<String, String> settings;
        private final Shop.Rules rules;
        private transient ValueState<Shop.Person> persons;
        private transient Shop.Marks marks;
        private transient List<Shop.Trigger> told;

        Desk(Map<String, String> settings) {
            this.settings = settings;
            this.rules = new Shop.Rules(settings);
        }

        @Override
        public void open(OpenContext context) {
            persons = getRuntimeContext().getState(new ValueStateDescriptor<>("person", Shop.Person.class));
            marks = new Shop.Marks(settings);
            told = new ArrayList<>();
        }

        @Override
        public void processElement(Shop.Event event, Context context, Collector<Shop.Trigger> out) throws Exception {
            Shop.Person person = persons.value();
            if (person == null) {
                person = new Shop.Person();
            }
            long before = person.due;
            rules.apply(person, event, told);
            persons.update(person);
            if (person.due != before) {
                if (before != 0) {
                    context.timerService().deleteEventTimeTimer(before);
                }
                if (person.due != 0) {
                    context.timerService().registerEventTimeTimer(person.due);
                }
            }
            if (!told.isEmpty()) {
                told.forEach(out::collect);
                told.clear();
            }
            marks.count();
        }

        @Override
        public void onTimer(long timestamp, OnTimerContext context, Collector<Shop.Trigger> out) throws Exception {
            Shop.Person person = persons.value();
            if (person.due == timestamp) {
                out.collect(rules.abandoned(person, context.getCurrentKey()));
                persons.update(person);
            }
        }
    }
}
